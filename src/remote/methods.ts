import type { AnyStore } from "../engine/any-store.ts";
import {
  type AnyArgument,
  type Argument,
  count,
  document,
  flag,
  listener,
  moment,
  object,
  oneOf,
  options,
  path,
  signal,
  stream,
  streamOrFile,
  streamOrTree,
  text,
  texts,
} from "./argument.ts";

/**
 * All that a store does over a connection, which both sides go by: the caller's store has a method for each line, and the
 * daemon answers each. A method, an argument or an option that is missing here does not compile.
 */
export const METHODS: Methods = {
  load: { takes: [streamOrTree, options({ signal, onEvent: listener() })], gives: "value" },
  save: {
    takes: [texts, options({ format: oneOf("docker", "docker-25", "oci"), signal, onEvent: listener() })],
    gives: "bytes",
  },
  import: {
    takes: [streamOrFile, options({ reference: text, message: text, changes: texts, signal, onBytes: listener() })],
    gives: "value",
  },
  images: {
    takes: [
      options({
        all: flag,
        filters: object({ dangling: flag, label: texts, before: text, since: text, reference: texts, until: text }),
      }),
    ],
    gives: "value",
  },
  inspect: { takes: [text], gives: "value" },
  config: { takes: [text], gives: "value" },
  history: { takes: [text], gives: "value" },
  layers: { takes: [text], gives: "value" },
  tag: { takes: [text, text], gives: "value" },
  remove: { takes: [text, options({ force: flag, noPrune: flag, dryRun: flag, signal })], gives: "value" },
  previewRemoval: { takes: [texts, options({ force: flag, noPrune: flag, signal })], gives: "value" },
  prune: {
    takes: [
      options({ all: flag, filters: object({ until: text, label: texts, "label!": texts }), dryRun: flag, signal }),
    ],
    gives: "value",
  },
  create: {
    takes: [
      text,
      options({
        ...{ name: text, config: document, hostConfig: document, networkingConfig: document },
        ...{ onWarning: listener(), signal },
      }),
    ],
    gives: "value",
  },
  containers: {
    takes: [
      options({
        ...{ all: flag, limit: count, size: flag },
        filters: object({
          ...{ ancestor: texts, before: texts, exited: texts, expose: texts, health: texts, id: texts },
          ...{ "is-task": texts, isolation: texts, label: texts, name: texts, network: texts, publish: texts },
          ...{ since: texts, status: texts, volume: texts },
        }),
      }),
    ],
    gives: "value",
  },
  inspectContainer: { takes: [text, options({ size: flag })], gives: "value" },
  inspectContainers: { takes: [], gives: "value" },
  diff: { takes: [text], gives: "value" },
  commit: {
    takes: [text, options({ reference: text, author: text, message: text, config: document, changes: texts, signal })],
    gives: "value",
  },
  export: { takes: [text, options({ signal })], gives: "bytes" },
  rename: { takes: [text, text], gives: "value" },
  removeContainer: { takes: [text, options({ force: flag, volumes: flag, dryRun: flag })], gives: "value" },
  pruneContainers: {
    takes: [options({ filters: object({ until: text, label: texts, "label!": texts }), dryRun: flag, signal })],
    gives: "value",
  },
  mount: { takes: [text], gives: "value" },
  unmount: { takes: [text], gives: "value" },
  stat: { takes: [text, path, options({ follow: flag, signal })], gives: "value" },
  list: { takes: [text, path, options({ signal })], gives: "value" },
  read: { takes: [text, path, options({ signal })], gives: "bytes" },
  archive: { takes: [text, path, options({ signal })], gives: "bytes" },
  copyIn: {
    takes: [text, path, stream, options({ noOverwriteDirNonDir: flag, copyUIDGID: flag, signal })],
    gives: "value",
  },
  volumes: {
    takes: [options({ filters: object({ dangling: texts, driver: texts, label: texts, name: texts }), size: flag })],
    gives: "value",
  },
  df: { takes: [], gives: "value" },
  info: { takes: [], gives: "value" },
  events: { takes: [options({ since: moment, until: moment, signal })], gives: "items", endless: true },
};

export type MethodName = Exclude<keyof AnyStore, OnCallersSide>;

/** What the caller's side does by itself: `saveTo` is `save`, written here. */
type OnCallersSide = "root" | "driver" | "saveTo" | "close" | typeof Symbol.asyncDispose;

/** One value; bytes as they come; items as they come. */
export type Gives = "value" | "bytes" | "items";

export interface Method {
  readonly takes: readonly AnyArgument[];
  readonly gives: Gives;
  /** It ends when its caller goes. */
  readonly endless?: boolean;
}

type Methods = {
  readonly [Name in MethodName]: Method & {
    readonly takes: ArgumentsOf<Parameters<AnyStore[Name]>>;
    readonly gives: GivesOf<ReturnType<AnyStore[Name]>>;
  };
};

type ArgumentsOf<Given extends readonly unknown[]> = { readonly [At in keyof Given]-?: Argument<Given[At]> };

type GivesOf<Returned> =
  Returned extends Promise<unknown> ? "value" : Returned extends AsyncIterable<Uint8Array> ? "bytes" : "items";
