import { statSync } from "node:fs";
import { VarveError } from "../errors.ts";
import { type ByteSource, fileSource } from "../io/byte-source.ts";

/**
 * One argument of a method, or one of its options, on its way to a daemon: what the caller gave becomes a value that
 * `value.ts` can write, and back there what the method takes. Signals, functions and streams do not travel: a call has a
 * signal and a stream of its own on either side, and what a function is to be told is a message.
 */
export interface Argument<T> {
  readonly send: (given: T, call: OutgoingCall, name: string) => unknown;
  /** @throws VarveError `invalid-argument`: anybody may have sent it */
  readonly receive: (value: unknown, call: IncomingCall, name: string) => T;
  /** A method gets it also when its caller gave none. */
  readonly always?: boolean;
}

/** A call as its maker collects it. */
export interface OutgoingCall {
  stream?: ByteSource | undefined;
  signal?: AbortSignal | undefined;
  /** Who is told what happens, by the option's name. */
  readonly listeners: Map<string, (event: never) => void>;
}

/** A call as the daemon has it. */
export interface IncomingCall {
  readonly stream: ByteSource;
  readonly signal: AbortSignal;
  /** Tells the caller. */
  tell(name: string, event: unknown): void;
}

/** What an argument is, whatever it takes. */
export interface AnyArgument {
  readonly send: (given: never, call: OutgoingCall, name: string) => unknown;
  readonly receive: (value: unknown, call: IncomingCall, name: string) => unknown;
  readonly always?: boolean;
}

/** The options of a method, which a caller may leave out. */
export function options<Options>(fields: NoInfer<FieldsOf<Options>>): Argument<Options | undefined> {
  const given = object<Options>(fields);
  return {
    send: (value, call, name) => given.send(value ?? ({} as Options), call, name),
    receive: given.receive,
  };
}

/** An object with these fields, of which a caller may leave some out. All have to be named here, so that none is forgotten. */
export function object<Fields>(fields: NoInfer<FieldsOf<Fields>>): Argument<Fields> {
  const known = Object.entries(fields) as [string, Argument<unknown>][];
  return {
    send(given, call) {
      const sent = known.flatMap(([name, field]): [string, unknown][] => {
        const value = (given as Readonly<Record<string, unknown>>)[name];
        return value === undefined ? [] : [[name, field.send(value, call, name)]];
      });
      return Object.fromEntries(sent.filter(([, value]) => value !== undefined));
    },
    receive(value, call, name) {
      if (!isRecord(value)) throw wrong(`${name} is to be an object`);
      const stranger = Object.keys(value).find((key) => !known.some(([field]) => field === key));
      if (stranger !== undefined) throw wrong(`${name} has no ${JSON.stringify(stranger)}`);
      const received = known.flatMap(([key, field]): [string, unknown][] =>
        value[key] === undefined && field.always !== true ? [] : [[key, field.receive(value[key], call, key)]],
      );
      return Object.fromEntries(received) as Fields;
    },
  };
}

type FieldsOf<Fields> = { readonly [Name in keyof Fields]-?: Argument<NonNullable<Fields[Name]>> };

export const text: Argument<string> = plain((value): value is string => typeof value === "string", "a text");
export const flag: Argument<boolean> = plain((value): value is boolean => typeof value === "boolean", "true or false");
export const texts: Argument<readonly string[]> = plain(areTexts, "a list of texts");
/** Nanoseconds since the epoch. */
export const moment: Argument<bigint> = plain((value): value is bigint => typeof value === "bigint", "a bigint");
export const count: Argument<number> = plain(
  (value): value is number => Number.isSafeInteger(value) && (value as number) >= 0,
  "a number of things",
);
/** In a container or an image: names need not be text. */
export const path: Argument<string | Uint8Array> = plain(
  (value): value is string | Uint8Array => typeof value === "string" || value instanceof Uint8Array,
  "a path",
);
/** An object that JSON can hold, and nothing else. */
export const document: Argument<object> = plain(
  (value): value is object => isRecord(value) && isJson(value),
  "an object",
);

export function oneOf<const Text extends string>(...known: readonly Text[]): Argument<Text> {
  const isKnown = (value: unknown): value is Text => (known as readonly unknown[]).includes(value);
  return plain(isKnown, `one of ${known.join(", ")}`);
}

/** What breaks the work off. It fires there when the caller's fires, and when the caller is gone. */
export const signal: Argument<AbortSignal> = {
  send(given, call) {
    call.signal = given;
    return undefined;
  },
  receive: (_, call) => call.signal,
  always: true,
};

/** A function that is told what happens. Without it nothing is sent. */
export function listener<Event>(): Argument<(event: Event) => void> {
  return {
    send(given, call, name) {
      call.listeners.set(name, given);
      return true;
    },
    receive(value, call, name) {
      if (value !== true) throw wrong(`${name} is to be true, or not there`);
      return (event) => call.tell(name, event);
    },
  };
}

/** The bytes that come with the call. */
export const stream: Argument<ByteSource> = streamMadeBy((given: ByteSource) => given);
/** The same, or a file of the caller's machine. The daemon never opens a path that it is told. */
export const streamOrFile: Argument<string | ByteSource> = streamMadeBy((given: string | ByteSource) =>
  typeof given === "string" ? fileSource(given) : given,
);
/** The same, or also a directory of the caller's machine, which travels as a tar. */
export const streamOrTree: Argument<string | ByteSource> = streamMadeBy((given: string | ByteSource) =>
  typeof given === "string" ? treeSource(given) : given,
);

function streamMadeBy<Given>(toStream: (given: Given) => ByteSource): Argument<Given> {
  return {
    send(given, call) {
      call.stream = toStream(given);
      return null;
    },
    receive: (_, call) => call.stream as Given,
  };
}

async function* treeSource(path: string): ByteSource {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new VarveError("not-found", `open ${path}: no such file or directory`, { path });
  if (!stat.isDirectory()) return yield* fileSource(path);
  const { packDirectory } = await import("../engine/pack-directory.ts");
  yield* packDirectory(path);
}

function plain<T>(isRight: (value: unknown) => value is T, what: string): Argument<T> {
  return {
    send: (given) => given,
    receive(value, _, name) {
      if (!isRight(value)) throw wrong(`${name} is to be ${what}`);
      return value;
    },
  };
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function isJson(value: unknown): boolean {
  if (Array.isArray(value)) return value.every(isJson);
  if (isRecord(value)) return Object.values(value).every(isJson);
  return value === null || ["boolean", "number", "string"].includes(typeof value);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function wrong(message: string): VarveError {
  return new VarveError("invalid-argument", message);
}
