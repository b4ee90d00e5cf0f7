// Stores of the subjects during a run of the benchmark: fresh ones, and ones that hold an input already.
import { execFileSync } from "node:child_process";

/**
 * @typedef {import("./subjects.mjs").Subject} Subject
 * @typedef {import("./subjects.mjs").Session} Session
 * @typedef {import("./inputs.mjs").Input} Input
 */

export class Stores {
  #homes;
  /** By subject and input, a home that holds the input and nothing else. @type {Map<string, string>} */
  #loaded = new Map();

  /** @param {import("./homes.mjs").Homes} homes */
  constructor(homes) {
    this.#homes = homes;
  }

  /** @param {{ key: string }} subject */
  fresh(subject) {
    return this.#homes.make(subject.key);
  }

  /** @param {{ key: string }} subject */
  freshInMemory(subject) {
    return this.#homes.makeInMemory(subject.key);
  }

  /** Keeps a home for later cases, if none is kept yet. @param {Subject} subject @param {Input} input @param {string} home */
  keep(subject, input, home) {
    const key = keyOf(subject, input);
    if (this.#loaded.has(key)) this.discard(home);
    else this.#loaded.set(key, home);
  }

  /** A home with the input in it, made when none is kept. @param {Subject} subject @param {Input} input */
  async loaded(subject, input) {
    const kept = this.#loaded.get(keyOf(subject, input));
    if (kept !== undefined) return kept;
    const home = this.fresh(subject);
    await using(subject, home, async (session) => run(session.load(input)));
    this.keep(subject, input, home);
    return home;
  }

  /** The same, but the caller's to spoil and discard. @param {Subject} subject @param {Input} input */
  async take(subject, input) {
    const home = await this.loaded(subject, input);
    this.#loaded.delete(keyOf(subject, input));
    return home;
  }

  /** @param {string} home */
  discard(home) {
    this.#homes.discard(home);
  }

  /** Discards what is kept of an input. @param {Input} input */
  forget(input) {
    for (const [key, home] of this.#loaded) {
      if (!key.endsWith(` ${input.name}`)) continue;
      this.discard(home);
      this.#loaded.delete(key);
    }
  }
}

/** @param {Subject} subject @param {Input} input */
function keyOf(subject, input) {
  return `${subject.key} ${input.name}`;
}

/** Runs a command to its end, unmeasured. @param {string[]} command @returns {string} */
export function run([program = "", ...args]) {
  return execFileSync(program, args, { encoding: "utf8", maxBuffer: 1 << 28, stdio: ["ignore", "pipe", "pipe"] });
}

/** The digest of what a command prints. @param {string[]} command */
export function digestOf(command) {
  return run(["bash", "-c", 'set -o pipefail; "$@" | sha256sum', "bash", ...command]).slice(0, 64);
}

/** Opens the store, does something with it, and closes it whatever happens. @template T */
export async function using(
  /** @type {Subject} */ subject,
  /** @type {string} */ home,
  /** @type {(session: Session) => Promise<T>} */ work,
) {
  const session = await subject.open(home);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}
