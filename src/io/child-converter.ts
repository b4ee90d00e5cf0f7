import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { errnoOf, VarveError } from "../errors.ts";
import type { Converter } from "./through.ts";

const STDERR_LIMIT = 2000;

/** A program that decompresses its standard input, for formats that are too rare to have code of their own here. */
export class ChildConverter implements Converter {
  readonly input: Writable;
  readonly output: Readable;
  readonly #command: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** How it ended; a failure when it never began. */
  readonly #end: Promise<number | NodeJS.Signals | Error>;
  #running = true;
  #stderr = "";

  constructor(command: string, ...parameters: string[]) {
    this.#command = command;
    // Both tools take more options from variables like XZ_OPT.
    const env = { PATH: process.env.PATH, LC_ALL: "C" };
    this.#child = spawn(command, parameters, { stdio: ["pipe", "pipe", "pipe"], env });
    this.input = this.#child.stdin;
    this.output = this.#child.stdout;
    this.#child.stderr.setEncoding("utf8").on("data", (text: string) => {
      if (this.#stderr.length < STDERR_LIMIT) this.#stderr += text;
    });
    this.#end = new Promise((resolve) => {
      this.#child.once("error", resolve);
      this.#child.once("close", (code, signal) => resolve(code ?? signal ?? 1));
    });
    this.#end.then(() => {
      this.#running = false;
    });
  }

  async finished(): Promise<void> {
    if ((await this.#end) !== 0) throw await this.explain();
  }

  async explain(): Promise<Error> {
    // It cannot end while it has output that nobody takes, and a stream does not flow for whoever also waits for `readable`.
    this.output.removeAllListeners("readable").resume();
    const end = await this.#end;
    const command = this.#command;
    if (end instanceof Error) {
      if (errnoOf(end) !== "ENOENT") return end;
      return new VarveError("unsupported", `${command} is not installed, which this archive needs`, { command }, end);
    }
    // What bzip2 says goes on for ten lines.
    const said = this.#stderr.trim().split("\n", 1)[0]!.replace(/[;:]$/, "");
    const reason = said || (end === 0 ? "unexpected data after the end" : `ended by ${end}`);
    return new VarveError("invalid-archive", reason.startsWith(command) ? reason : `${command}: ${reason}`, {
      command,
    });
  }

  async destroy(): Promise<void> {
    if (this.#running) this.#child.kill("SIGKILL");
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) stream.destroy();
    await this.#end;
  }
}
