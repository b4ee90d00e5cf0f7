import { isErrorCode, VarveError } from "../errors.ts";

/**
 * Writes what goes into and comes out of a store's methods as JSON. What JSON has no word for is an object of one member
 * whose name says what it is: `{"$bigint":"12"}`. A real object that looks like one is wrapped into `$object`.
 *
 * @throws VarveError `unsupported` for what is more than data, such as functions
 */
export function writeValue(value: unknown): string {
  return JSON.stringify(toJson(value, 0));
}

/**
 * Reads what `writeValue` wrote. Bytes come back as a `Buffer`.
 *
 * @throws VarveError `invalid-argument` for any other text
 */
export function readValue(text: string): unknown {
  return fromJson(parse(text), 0);
}

/** Deeper than any document of ours, and no danger for the stack. */
const DEEPEST = 500;

/** Of a number in text; times in nanoseconds have 19. */
const MOST_DIGITS = 1000;

function toJson(value: unknown, depth: number): unknown {
  refuseDeep(depth);
  const inner = (item: unknown): unknown => toJson(item, depth + 1);
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $number: Object.is(value, -0) ? "-0" : `${value}` };
    case "bigint":
      return { $bigint: `${value}` };
    case "undefined":
      return { $undefined: true };
    case "object":
      if (value === null) return null;
      if (Array.isArray(value)) return Array.from(value, inner);
      if (value instanceof Uint8Array)
        return { $bytes: Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64") };
      if (value instanceof Map) return { $map: [...value].map(([key, item]) => [inner(key), inner(item)]) };
      if (value instanceof VarveError) return { $error: errorToJson(value, depth) };
      if (isPlain(value)) return objectToJson(value, inner);
  }
  throw new VarveError("unsupported", `only data can be told to another process, and this is none: ${String(value)}`);
}

function objectToJson(value: object, inner: (item: unknown) => unknown): unknown {
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [key, inner(item)]);
  const object = Object.fromEntries(entries);
  return entries.length === 1 && entries[0]![0].startsWith("$") ? { $object: object } : object;
}

/** Details that are more than data stay behind; the rest of the error is worth telling. */
function errorToJson({ code, message, details }: VarveError, depth: number): unknown {
  const told = Object.entries(details).filter(([, value]) => isData(value, depth + 2));
  return { code, message, details: toJson(Object.fromEntries(told), depth + 1) };
}

function isData(value: unknown, depth: number): boolean {
  try {
    toJson(value, depth);
    return true;
  } catch {
    return false;
  }
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new VarveError("invalid-argument", `this is no JSON: ${(error as Error).message}`, {}, error);
  }
}

function fromJson(json: unknown, depth: number): unknown {
  refuseDeep(depth);
  if (typeof json !== "object" || json === null) return json;
  if (Array.isArray(json)) return json.map((item) => fromJson(item, depth + 1));
  const entries: [string, unknown][] = Object.entries(json);
  const [first] = entries;
  if (entries.length === 1 && first![0].startsWith("$")) return fromTagged(first![0], first![1], depth);
  return Object.fromEntries(entries.map(([key, item]) => [key, fromJson(item, depth + 1)]));
}

function fromTagged(tag: string, content: unknown, depth: number): unknown {
  switch (tag) {
    case "$undefined":
      return undefined;
    case "$number":
      if (content === "NaN" || content === "Infinity" || content === "-Infinity" || content === "-0")
        return Number(content);
      break;
    case "$bigint":
      if (typeof content === "string" && /^-?\d+$/.test(content) && content.length <= MOST_DIGITS)
        return BigInt(content);
      break;
    case "$bytes":
      if (typeof content === "string") return Buffer.from(content, "base64");
      break;
    case "$map":
      if (Array.isArray(content) && content.every((pair) => Array.isArray(pair) && pair.length === 2))
        return new Map(content.map(([key, item]) => [fromJson(key, depth + 1), fromJson(item, depth + 1)]));
      break;
    case "$object":
      if (isObject(content))
        return Object.fromEntries(Object.entries(content).map(([key, item]) => [key, fromJson(item, depth + 1)]));
      break;
    case "$error":
      if (isObject(content)) return errorFromJson(content, depth);
  }
  throw new VarveError("invalid-argument", `${JSON.stringify(tag)} does not say what such a value is`, { tag });
}

function errorFromJson({ code, message, details }: Readonly<Record<string, unknown>>, depth: number): VarveError {
  const facts = fromJson(details, depth + 1);
  if (typeof code !== "string" || typeof message !== "string" || !isObject(facts) || !isPlain(facts))
    throw new VarveError("invalid-argument", "an error has a code, a message and details");
  return new VarveError(isErrorCode(code) ? code : "system", message, facts);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuseDeep(depth: number): void {
  if (depth > DEEPEST) throw new VarveError("invalid-argument", `a value is nested more than ${DEEPEST} levels deep`);
}
