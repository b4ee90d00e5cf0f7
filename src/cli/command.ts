/**
 * What a command is. It declares its arguments and options, does its work and gives back data; the constructors here
 * are the one edge where data become text for a person, JSON for a script, or bytes for a file.
 */
import type { Writable } from "node:stream";
import type { Command } from "commander";
import { VarveError } from "../errors.ts";
import { writeWholeFile } from "./output-file.ts";
import type { Session } from "./session.ts";
import { harmless } from "./terminal.ts";
import { Progress, type ProgressStep } from "./ui/progress.ts";

/** A command as the tree knows it. */
export interface CliCommand {
  /** Adds usage, arguments, options and examples to the command's node. */
  declare(command: Command): void;
  /** Whether it knows what to do about `--v1`; the others refuse that. */
  readonly takesV1?: boolean | undefined;
  /** Whether it works on this machine alone, so that it refuses `-H`. */
  readonly isLocal?: boolean | undefined;
  perform(call: Call<object>): Promise<void>;
}

export interface Call<Options> {
  /** The arguments in their order, those of a variadic one spread out. */
  readonly args: readonly string[];
  readonly options: Options & JsonOption;
  readonly session: Session;
}

export interface JsonOption {
  readonly json?: boolean;
}

/** A command whose answer is one document. */
export interface DocumentCommand<Options, Data> {
  declare(command: Command): void;
  readonly takesV1?: boolean;
  readonly isLocal?: boolean;
  run(call: Call<Options>): Promise<Data>;
  /** What a person sees, line ends and all. */
  text(data: Data, call: Call<Options>): string | Uint8Array;
  /** What `--json` prints, where it is not the data as they are. */
  json?(data: Data): unknown;
  /** What went wrong beside what went right; told after the data. */
  failures?(data: Data): readonly unknown[];
}

/** A command whose answer comes in items: a line each, or a JSON object each. */
export interface StreamCommand<Options, Item> {
  declare(command: Command): void;
  readonly isLocal?: boolean;
  items(call: Call<Options>): AsyncIterable<Item>;
  /** What a person sees of an item; nothing for one that is only progress. */
  line(item: Item, call: Call<Options>): string | undefined;
  progress?(item: Item, call: Call<Options>): ProgressStep | undefined;
  json?(item: Item): unknown;
}

/** A command whose answer is a file: to standard output, or whole to `-o`. */
export interface BytesCommand<Options> {
  declare(command: Command): void;
  readonly takesV1?: boolean;
  /** Writes it to an open file or a stream. @returns how many bytes there were */
  write(output: number | Writable, call: Call<Options>): Promise<number>;
  /** What a terminal must not get: `save` an archive, `export` a tar. */
  readonly refusal: string;
}

export function documentCommand<Options, Data>(spec: DocumentCommand<Options, Data>): CliCommand {
  return {
    declare: spec.declare,
    takesV1: spec.takesV1,
    isLocal: spec.isLocal,
    async perform(erased) {
      const call = erased as Call<Options>;
      const data = await spec.run(call);
      const text = call.options.json ? jsonDocument(spec.json?.(data) ?? data) : shown(spec.text(data, call), call);
      await call.session.output.print(text);
      throwAll(spec.failures?.(data) ?? []);
    },
  };
}

export function streamCommand<Options, Item>(spec: StreamCommand<Options, Item>): CliCommand {
  return {
    declare: spec.declare,
    isLocal: spec.isLocal,
    async perform(erased) {
      const call = erased as Call<Options>;
      const { output, errors } = call.session;
      const progress = new Progress(output.isTerminal ? output : errors);
      try {
        for await (const item of spec.items(call)) {
          if (call.options.json) {
            await output.print(`${JSON.stringify(spec.json?.(item) ?? item)}\n`);
            continue;
          }
          const step = spec.progress?.(item, call);
          if (step !== undefined) progress.step(step);
          const line = spec.line(item, call);
          if (line === undefined) continue;
          progress.finish();
          await output.print(shown(`${line}\n`, call));
        }
      } finally {
        progress.finish();
      }
    },
  };
}

export function bytesCommand<Options extends { readonly output?: string }>(spec: BytesCommand<Options>): CliCommand {
  return {
    declare: spec.declare,
    takesV1: spec.takesV1,
    async perform(erased) {
      const call = erased as Call<Options>;
      const { options, session } = call;
      const write = (output: number | Writable): Promise<number> => spec.write(output, call);
      if (options.output !== undefined) {
        const size = await writeWholeFile(options.output, write);
        if (options.json) await session.output.print(jsonDocument({ path: options.output, size }));
        return;
      }
      if (options.json) throw usage("with --json the bytes need a file: add -o FILE");
      if (session.output.isTerminal)
        throw new VarveError("conflict", `cowardly refusing to ${spec.refusal}. Use the -o flag or redirect`);
      await session.output.take(write);
    },
  };
}

/** What images and archives say is not to move a terminal's cursor; a template's author may. */
function shown<Options>(text: string | Uint8Array, { options, session }: Call<Options>): string | Uint8Array {
  return session.output.isTerminal && !("format" in options) ? harmless(text) : text;
}

/** The arguments or options do not fit together. */
export function usage(message: string): VarveError {
  return new VarveError("invalid-argument", message);
}

/** Several failures are one `AggregateError`, of which each gets a line. */
export function throwAll(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures);
}

function jsonDocument(data: unknown): string {
  return `${JSON.stringify(data, null, 2)}\n`;
}
