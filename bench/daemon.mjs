// Daemons of the peers: started, awaited, and never left behind.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ProcessTree } from "./process-tree.mjs";

const POLL_MILLISECONDS = 10;
const PATIENCE_MILLISECONDS = 120_000;

/** @type {Set<() => Promise<void>>} */
const open = new Set();

/** Ends every daemon that is still there. */
export async function stopDaemons() {
  for (const close of open) await close();
}

/**
 * Starts a daemon and waits until the command `ready` succeeds; `start` is what that took and `answer` what it printed.
 * @param {{ command: string[], home: string, socket: string, ready: string[] }} options
 */
export async function startDaemon({
  command: [program = "", ...args],
  home,
  socket,
  ready: [client = "", ...question],
}) {
  mkdirSync(home, { recursive: true });
  const log = join(home, "log");
  const logFile = openSync(log, "w");
  const began = performance.now();
  const daemon = spawn(program, args, { detached: true, stdio: ["ignore", logFile, logFile] });
  closeSync(logFile);
  const ended = new Promise((resolve) => daemon.once("exit", resolve).once("error", resolve));
  const isRunning = () => daemon.pid !== undefined && daemon.exitCode === null && daemon.signalCode === null;
  const tree = new ProcessTree(daemon.pid);

  /** @type {Promise<void> | undefined} */
  let closing;
  const close = () => {
    closing ??= end();
    return closing;
  };
  const end = async () => {
    if (isRunning()) daemon.kill("SIGTERM");
    await Promise.race([ended, sleep(30_000, undefined, { ref: false })]);
    if (isRunning()) daemon.kill("SIGKILL");
    await ended;
    unmountBelow(home);
    open.delete(close);
  };
  open.add(close);

  for (;;) {
    const { status, stdout } = spawnSync(client, question, { encoding: "utf8" });
    if (status === 0) {
      const start = { seconds: (performance.now() - began) / 1000, cpu: tree.cpu(), peak: tree.peak() };
      return { daemon: daemon.pid, socket, close, start, answer: stdout };
    }
    await sleep(POLL_MILLISECONDS);
    if (isRunning() && performance.now() - began < PATIENCE_MILLISECONDS) continue;
    await close();
    throw new Error(`${program} did not start:\n${readFileSync(log, "utf8")}`);
  }
}

/** @param {string} directory */
function unmountBelow(directory) {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "))
    .filter((point) => point.startsWith(`${directory}/`));
  for (const point of points.reverse()) execFileSync("umount", ["-l", point]);
}
