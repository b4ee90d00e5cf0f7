import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ended, type Ran, startVarve } from "./varve.ts";

/** A `varve serve` of its own for a test. */
export interface VarveDaemon extends AsyncDisposable {
  readonly socket: string;
  readonly child: ChildProcessWithoutNullStreams;
  /** The addresses that it says it listens at. */
  readonly addresses: readonly string[];
  /** Ends it as systemd does. */
  stop(): Promise<Ran>;
}

/** @param args more options; those that come before `serve` are the root and what else all commands take */
export async function startDaemon(root: string, args: readonly string[] = []): Promise<VarveDaemon> {
  const scratch = mkdtempSync(join(tmpdir(), "varve-daemon-"));
  const socket = join(scratch, "varve.sock");
  const child = startVarve(["--root", root, "serve", "--json", "-H", `unix://${socket}`, ...args]);
  const end = ended(child);
  const { addresses } = await new Promise<{ addresses: string[] }>((resolve, reject) => {
    let output = "";
    let error = "";
    child.stderr.on("data", (chunk: Buffer) => {
      error += chunk;
    });
    child.stdout.on("data", (chunk: Buffer) => {
      output += chunk;
      if (output.endsWith("\n")) resolve(JSON.parse(output));
    });
    child.once("close", () => reject(new Error(`varve serve did not start: ${error}`)));
  });
  const stop = async (): Promise<Ran> => {
    child.kill("SIGTERM");
    const ran = await end;
    rmSync(scratch, { recursive: true, force: true });
    return ran;
  };
  return {
    socket,
    child,
    addresses,
    stop,
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}
