import { AsyncLocalStorage } from "node:async_hooks";
import { closeSync, constants, openSync, readFileSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { errnoOf } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";

/**
 * How many processes share one root: a shared lock to look, an exclusive one to change what others see, long work
 * outside both. Each change moves a generation stamp, by which a process that comes later sees that its memory is old
 * and reads the disk again before it acts.
 *
 * Sections of one process run one at a time. A section may open another inside itself, which joins it; a reading
 * section cannot become a changing one.
 */
export class RootLock {
  readonly #directory: string;
  readonly #watched: readonly string[];
  readonly #refresh: () => Promise<void>;
  readonly #prepare: () => void;
  readonly #beforeCommit: () => void;
  readonly #section = new AsyncLocalStorage<Section>();
  #queue: Promise<unknown> = Promise.resolve();
  #stamp: string | undefined;
  #commits = 0;

  /**
   * @param directory where the lock and the stamp live
   * @param options.watched paths whose modification also tells that the root moved: a dockerd moves no stamp of ours
   * @param options.refresh reads the disk again
   * @param options.prepare makes the directory if it is missing; asked before every change
   * @param options.beforeCommit may throw to refuse a change, asked under the lock
   */
  constructor(
    directory: string,
    options: {
      watched: readonly string[];
      refresh: () => Promise<void>;
      prepare: () => void;
      beforeCommit: () => void;
    },
  ) {
    this.#directory = directory;
    this.#watched = options.watched;
    this.#refresh = options.refresh;
    this.#prepare = options.prepare;
    this.#beforeCommit = options.beforeCommit;
  }

  /** To be called before the stores read the disk for the first time: what they read then counts as known. */
  noteStamp(): void {
    this.#stamp = this.#readStamp();
  }

  /**
   * Runs `work` on memory that is as new as the disk, while nobody changes it. Writes nothing, not even a lock file.
   *
   * @param signal ends the wait for other processes; `work` is not interrupted
   */
  async read<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    if (this.#inside() !== undefined) return await work();
    return await this.#enter("read", async () => {
      using _lock = await this.#acquireShared(signal);
      await this.#catchUp();
      return await work();
    });
  }

  /**
   * Runs `work` alone among all processes, on memory that is as new as the disk, and then what it left to `afterwards`.
   *
   * @param signal as for `read`
   */
  async commit<T>(work: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    const kind = this.#inside();
    if (kind === "commit") return await work();
    if (kind === "read") throw new Error("a reading section cannot change the root");
    const later: (() => Promise<void>)[] = [];
    const [outcome] = await Promise.allSettled([
      this.#enter(
        "commit",
        async () => {
          this.#prepare();
          using _lock = await FileLock.acquire(this.#lockPath, "exclusive", { signal });
          this.#beforeCommit();
          await this.#catchUp();
          return await this.#stamped(work);
        },
        later,
      ),
    ]);
    const failure = await runAll(later);
    if (outcome.status === "rejected") throw outcome.reason;
    if (failure !== undefined) throw failure.error;
    return outcome.value;
  }

  /** Runs what takes long as soon as the commit that we are in has let go of the lock; at once when we are in none. */
  async afterwards(work: () => Promise<void>): Promise<void> {
    const section = this.#section.getStore();
    if (section?.open && section.kind === "commit") section.later.push(work);
    else await work();
  }

  #inside(): Section["kind"] | undefined {
    const section = this.#section.getStore();
    return section?.open ? section.kind : undefined;
  }

  #enter<T>(kind: Section["kind"], work: () => Promise<T>, later: Section["later"] = []): Promise<T> {
    const turn = this.#queue.then(async () => {
      const section: Section = { kind, later, open: true };
      try {
        return await this.#section.run(section, work);
      } finally {
        section.open = false;
      }
    });
    this.#queue = turn.catch(() => undefined);
    return turn;
  }

  async #acquireShared(signal: AbortSignal | undefined): Promise<FileLock | undefined> {
    try {
      statSync(this.#lockPath);
      return await FileLock.acquire(this.#lockPath, "shared", { signal });
    } catch (error) {
      // Nobody of us has changed this root yet, or we may only look at it.
      if (["ENOENT", "EACCES", "EPERM", "EROFS"].includes(errnoOf(error) ?? "")) return undefined;
      throw error;
    }
  }

  async #catchUp(): Promise<void> {
    const stamp = this.#readStamp();
    if (stamp === this.#stamp) return;
    await this.#refresh();
    this.#stamp = stamp;
  }

  /** Also a change that failed half-way must be seen; its own failure is then the one to tell. */
  async #stamped<T>(work: () => Promise<T> | T): Promise<T> {
    const [outcome] = await Promise.allSettled([(async () => await work())()]);
    try {
      this.#moveStamp();
    } catch (error) {
      if (outcome.status === "fulfilled") throw error;
    }
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  }

  #moveStamp(): void {
    this.#commits++;
    // Compared between living processes only, so it need not reach the disk. Always of one length: ext4 would send a file
    // that was cut and written again to the disk at once.
    const generation = `${process.pid}.${process.hrtime.bigint()}.${this.#commits}`.padEnd(GENERATION_LENGTH);
    const fd = openSync(this.#generationPath, constants.O_WRONLY | constants.O_CREAT, 0o600);
    try {
      writeSync(fd, generation, 0);
    } finally {
      closeSync(fd);
    }
    this.#stamp = this.#readStamp();
  }

  #readStamp(): string {
    const watched = this.#watched.map((path) => {
      const stat = statSync(path, { bigint: true, throwIfNoEntry: false });
      return stat === undefined ? "-" : `${stat.ino}.${stat.mtimeNs}`;
    });
    return [this.#readGeneration(), ...watched].join(" ");
  }

  #readGeneration(): string {
    try {
      return readFileSync(this.#generationPath, "utf8");
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "EACCES") return "-";
      throw error;
    }
  }

  get #lockPath(): string {
    return join(this.#directory, "lock");
  }

  get #generationPath(): string {
    return join(this.#directory, "generation");
  }
}

/** More than a process number, nanoseconds and a count ever take together. */
const GENERATION_LENGTH = 64;

interface Section {
  readonly kind: "read" | "commit";
  readonly later: (() => Promise<void>)[];
  open: boolean;
}

/** Does all of it. @returns the first failure */
async function runAll(works: readonly (() => Promise<void>)[]): Promise<{ readonly error: unknown } | undefined> {
  let failure: { readonly error: unknown } | undefined;
  for (const work of works) {
    try {
      await work();
    } catch (error) {
      failure ??= { error };
    }
  }
  return failure;
}
