// One run on the scales: wall time and CPU seconds of a command and of the daemon behind it, and their peak memory.
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ProcessTree } from "./process-tree.mjs";

const SAMPLE_MILLISECONDS = 20;

// bash, since its `time` counts the CPU of everything it waits for, to the millisecond and without its own start.
const TIMED = `set -o pipefail; TIMEFORMAT="%3R %3U %3S"
if [ -n "$PIPED" ]; then { time "$@" 2>&4 | wc -c >"$OUTPUT"; } 4>&2 2>"$TIMES"
else { time "$@" >"$OUTPUT" 2>&4; } 4>&2 2>"$TIMES"; fi`;

const WARM = 'find "$@" -type f -print0 | xargs -0r cat >/dev/null';

/**
 * @typedef {{ seconds: number, cpu: number, peak: number }} Measurement seconds, CPU seconds, bytes
 * @typedef {{ daemon?: number | undefined, piped?: boolean, env?: Record<string, string> }} MeasureOptions
 */

/** Process groups that must not outlive this one. @type {Set<number>} */
const running = new Set();

export function killMeasured() {
  for (const group of running) {
    try {
      process.kill(-group, "SIGKILL");
    } catch {} // ended by itself
  }
}

/**
 * Runs a command in a fresh process. A piped one writes to `wc -c`, whose count is then its output.
 * @param {readonly string[]} command @param {MeasureOptions} [options]
 * @returns {Promise<Measurement & { output: string }>}
 */
export async function measure(command, { daemon, piped = false, env = {} } = {}) {
  const scratch = mkdtempSync(join(tmpdir(), "varve-measure-"));
  const [times, output] = [join(scratch, "times"), join(scratch, "output")];
  const service = new ProcessTree(daemon);
  service.forgetPeaks();
  const before = service.cpu();
  try {
    const shell = spawn("bash", ["-c", TIMED, "bash", ...command], {
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...env, TIMES: times, OUTPUT: output, PIPED: piped ? "1" : "" },
    });
    const ended = new Promise((resolve, reject) => shell.once("error", reject).once("close", resolve));
    let complaint = "";
    shell.stderr.on("data", (bytes) => {
      complaint += bytes;
    });
    const client = new ProcessTree(shell.pid);
    if (shell.pid !== undefined) running.add(shell.pid);
    let peak = 0;
    const sampler = setInterval(() => {
      peak = Math.max(peak, client.peakOfDescendants() + service.peak());
    }, SAMPLE_MILLISECONDS);
    const status = await ended;
    clearInterval(sampler);
    running.delete(shell.pid ?? 0);
    if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}: ${complaint}`);
    const [seconds, user, system] = readFileSync(times, "utf8").trim().split(" ").map(Number);
    return {
      seconds,
      cpu: user + system + service.cpu() - before,
      peak,
      output: readFileSync(output, "utf8").trim(),
    };
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

/** Brings everything written so far to the disk, and these files into memory: no run pays or gains for another. @param {string[]} paths */
export function settle(...paths) {
  execFileSync("sync");
  if (paths.length > 0) execFileSync("bash", ["-c", WARM, "bash", ...paths]);
}
