/** The built command, run as a program of its own: what a user types, with what he sees. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

export interface Ran {
  /** 128 and the number where a signal ended it. */
  readonly status: number;
  readonly output: Buffer;
  readonly error: string;
}

export interface RunOptions {
  readonly input?: Uint8Array | string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Run as this user and group; needs root. */
  readonly user?: number;
}

/** Runs `varve` to its end. */
export function varve(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = startVarve(args, options);
  child.stdin.on("error", () => {}); // a command that needs no input closes it
  child.stdin.end(options.input);
  return ended(child);
}

/** What a `varve` that must succeed prints. */
export async function said(args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { status, output, error } = await varve(args, options);
  if (status !== 0) throw new Error(`varve ${args.join(" ")} ended with status ${status}: ${error}`);
  return output.toString();
}

/** Starts `varve` with its input open, for tests that interrupt it or close its output. */
export function startVarve(args: readonly string[], options: RunOptions = {}): ChildProcessWithoutNullStreams {
  const { environment, directory, user } = options;
  return spawn(process.execPath, [varvePath(), ...args], {
    env: { PATH: process.env.PATH, TZ: "UTC", ...threads, ...environment },
    ...(directory === undefined ? {} : { cwd: directory }),
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
}

/** All tests of the command can be run with another number of workers than usual. */
const threads = process.env.VARVE_THREADS === undefined ? {} : { VARVE_THREADS: process.env.VARVE_THREADS };

export function ended(child: ChildProcessWithoutNullStreams): Promise<Ran> {
  const output: Buffer[] = [];
  const error: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => error.push(chunk));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (status, signal) =>
      resolve({
        status: status ?? 128 + (SIGNALS[signal ?? ""] ?? 0),
        output: Buffer.concat(output),
        error: Buffer.concat(error).toString(),
      }),
    );
  });
}

const SIGNALS: Readonly<Record<string, number>> = { SIGINT: 2, SIGPIPE: 13, SIGTERM: 15, SIGKILL: 9 };

/** The program's file, built from the sources as they are now. */
export function varvePath(): string {
  built ??= build();
  return built;
}

let built: string | undefined;

/** The stamp is the one of `scripts/ready.mjs`. */
function build(): string {
  const stamp = join(PROJECT, "dist/.built");
  if (modified(stamp) < newestSource()) {
    execFileSync("npx", ["--no-install", "tsc", "-p", "tsconfig.build.json"], { cwd: PROJECT, stdio: "inherit" });
    writeFileSync(stamp, "");
  }
  return join(PROJECT, "dist/cli/main.js");
}

function newestSource(): number {
  const files = readdirSync(join(PROJECT, "src"), { recursive: true, encoding: "utf8" });
  return Math.max(...files.map((file) => modified(join(PROJECT, "src", file))));
}

function modified(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
