import { isVarveError, VarveError } from "../errors.ts";
import { collect } from "../io/byte-source.ts";
import { toPlain } from "../json/go-value.ts";
import { type Json, parseJson } from "../json/json.ts";
import type { Call } from "./call.ts";

/** More than any client has to say about one container. */
const LARGEST_BODY = 4 << 20;

/**
 * The document that a request brings, read as Go reads it: what is behind its end is ignored.
 *
 * @returns `undefined` for an empty body
 * @throws VarveError `invalid-argument` with Docker's texts, `too-large`
 */
export async function jsonBody(call: Call): Promise<Json | undefined> {
  checkType(call);
  const bytes = await collect(call.body, LARGEST_BODY);
  if (/^[ \t\r\n]*$/.test(bytes.toString("latin1", 0, bytes.length))) return undefined;
  try {
    const json = parseJson(bytes, { first: true });
    if (json.kind === "object" || json.kind === "null") return json;
    throw invalid(`${json.kind} where an object should be`);
  } catch (error) {
    throw isVarveError(error, "invalid-archive") ? invalid(error.message, error) : error;
  }
}

/** For a body that has to be there. @throws VarveError as `jsonBody` */
export async function requiredBody(call: Call): Promise<Json> {
  const body = await jsonBody(call);
  if (body === undefined) throw invalid("got EOF while reading request body");
  return body;
}

function checkType({ headers }: Call): void {
  const type = headers["content-type"] ?? "";
  const isEmpty = headers["transfer-encoding"] === undefined && Number(headers["content-length"] ?? 0) === 0;
  if ((type === "" && isEmpty) || /^\s*application\/json\s*(;|$)/i.test(type)) return;
  throw new VarveError("invalid-argument", `Content-Type specified (${type}) must be 'application/json'`, { type });
}

function invalid(reason: string, cause?: unknown): VarveError {
  return new VarveError("invalid-argument", `invalid JSON: ${reason}`, {}, cause);
}

/** Deeper than any document of Docker's. */
const DEEPEST = 1000;

/**
 * The value as `JSON.parse` gives it, but for objects that come twice under one name: as Go reads them, the second adds to
 * the first.
 *
 * @throws VarveError `invalid-argument` for a value that is nested too deep
 */
export function plainOf(json: Json, depth = 0): unknown {
  if (depth > DEEPEST) throw invalid("exceeded max depth");
  if (json.kind === "array") return [...json.items()].map((item) => plainOf(item, depth + 1));
  if (json.kind !== "object") return toPlain(json);
  const object = new Map<string, unknown>();
  for (const [key, member] of json.members()) object.set(key, joined(object.get(key), plainOf(member, depth + 1)));
  return Object.fromEntries(object);
}

function joined(before: unknown, value: unknown): unknown {
  return isObject(before) && isObject(value) ? { ...before, ...value } : value;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
