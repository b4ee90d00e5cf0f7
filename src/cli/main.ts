#!/bin/sh
":"; // 2>/dev/null || exec node -- "$0" "$@"
/**
 * The command `varve`: parses, runs one command, reports, and ends with its exit code.
 *
 * The line above is a command for sh and nothing for JavaScript: without `--` node would take `--env-file`, which is an
 * option of `create`, for its own, wherever it stands.
 */
import { CommanderError } from "commander";
import { errnoOf, VarveError } from "../errors.ts";
import { buildProgram } from "./program.ts";
import { reportFailure } from "./report.ts";
import { Session } from "./session.ts";
import { unwritable } from "./unwritable.ts";

/** What a shell adds to the number of the signal that ended a program. */
const SIGNALLED = 128;
const SIGPIPE = 13;
const SIGNALS = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const;

const controller = new AbortController();
let interruptedBy: keyof typeof SIGNALS | undefined;
for (const name of Object.keys(SIGNALS) as (keyof typeof SIGNALS)[])
  process.on(name, () => {
    if (interruptedBy !== undefined) process.exit(SIGNALLED + SIGNALS[name]);
    interruptedBy = name;
    controller.abort(new VarveError("cancelled", "interrupted"));
  });
let outputClosed = false;
process.stdout.on("error", (error) => {
  outputClosed = errnoOf(error) === "EPIPE";
  controller.abort(
    outputClosed ? new VarveError("cancelled", "nobody reads the output") : unwritable("standard output", error),
  );
});
process.stderr.on("error", () => {}); // there is nobody left to tell

process.exit(await run(process.argv.slice(2)));

async function run(argv: readonly string[]): Promise<number> {
  const { program } = buildProgram(async (command, call, global) => {
    await using session = new Session(global, controller.signal);
    await command.perform({ ...call, session });
  });
  try {
    if (argv[0] === "__complete") {
      const { complete } = await import("./completion/complete.ts");
      process.stdout.write(await complete(argv.slice(1)));
      return 0;
    }
    await program.parseAsync(argv[0] === "help" ? [...argv.slice(1), "--help"] : argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return 0; // help or version, asked for or instead of a missing command
    if (outputClosed || errnoOf(error) === "EPIPE") return SIGNALLED + SIGPIPE;
    const { lines, exitCode } = reportFailure(controller.signal.aborted ? controller.signal.reason : error);
    for (const line of lines) process.stderr.write(`${line}\n`);
    return interruptedBy === undefined ? exitCode : SIGNALLED + SIGNALS[interruptedBy];
  }
}
