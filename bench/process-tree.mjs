// A process with its descendants, as /proc shows them.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

export class ProcessTree {
  /** Everything that was seen, so that a look at a busy machine reads the new processes only; true: it belongs to the tree. */
  #belongs = /** @type {Map<number, boolean>} */ (new Map());
  #root;

  /** @param {number | undefined} root no process makes an empty tree */
  constructor(root) {
    this.#root = root;
    if (root !== undefined) this.#belongs.set(root, true);
  }

  /** CPU seconds so far, those of the dead that were waited for included. */
  cpu() {
    let ticks = 0;
    for (const pid of this.#members()) for (const field of statOf(pid).slice(11, 15)) ticks += Number(field);
    return ticks / TICKS_PER_SECOND;
  }

  /** The most memory, in bytes, that the living members have held, each in its own worst moment. */
  peak() {
    return this.#members().reduce((sum, pid) => sum + peakOf(pid), 0);
  }

  /** The same without the root. */
  peakOfDescendants() {
    return this.#members().reduce((sum, pid) => sum + (pid === this.#root ? 0 : peakOf(pid)), 0);
  }

  /** Lets `peak` start again from what is held now. */
  forgetPeaks() {
    for (const pid of this.#members()) writeFileSync(`/proc/${pid}/clear_refs`, "5");
  }

  /** @returns {number[]} */
  #members() {
    if (this.#root === undefined) return [];
    const present = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
    for (const pid of present.map(Number).sort((a, b) => a - b)) {
      if (!this.#belongs.has(pid)) this.#belongs.set(pid, this.#belongs.get(Number(statOf(pid)[1])) ?? false);
    }
    return [...this.#belongs].filter(([pid, belongs]) => belongs && present.includes(String(pid))).map(([pid]) => pid);
  }
}

/** The fields of proc(5) from the third on, counted behind the name, which may hold anything. @param {number} pid */
function statOf(pid) {
  return read(`/proc/${pid}/stat`).split(") ").at(-1)?.split(" ") ?? [];
}

/** @param {number} pid */
function peakOf(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** What a file of /proc says, nothing when its process is gone. @param {string} path */
function read(path) {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
