/** A data-root that holds an image, and everything by which a test sees that a bad archive left it as it was. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll } from "vitest";
import { dockerMembers, type MadeImage, makeImage, makeLayer } from "../../src/testing/archive-bench.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { compareTrees, listTree, type TreeRecord } from "../../src/testing/tree-listing.ts";
import { ended, type Ran, type RunOptions, startVarve, varvePath } from "../tools/varve.ts";

/** The image that every root has. Bad archives name its layer and its tag too. */
export const kept: MadeImage = makeImage([makeLayer("kept", "this was here before\n")], { author: "kept" });
export const KEPT_TAG = "kept:1";
/** On top of it, so that its layer has been a parent before: overlay2 leaves a mark on each. */
const above: MadeImage = makeImage([kept.layers[0]!, makeLayer("above")], { author: "above" });

/** The drivers and who works with them: an ordinary user with the one that is made for him. */
export const DRIVERS = ["overlay2", "vfs", "rootless"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** What is not done by then hangs. */
const PATIENCE_MS = 30_000;

/** What became of an archive. */
export interface Outcome {
  /** IDs of the images, where the load succeeded. */
  readonly loaded?: readonly string[];
  /** What the command would print. */
  readonly error?: string;
  /** Whether the error came only after the load. */
  readonly late?: boolean;
}

export class Bench {
  readonly driver: DriverName;
  /** For archives and other scratch files; everybody may write there. */
  readonly directory: string = mkdtempSync(join(tmpdir(), "varve-hostile-"));
  readonly root: string = join(this.directory, "root");
  readonly #user: { readonly user?: number };
  #taker: Taker | undefined;
  #before: readonly TreeRecord[] = [];

  constructor(driver: DriverName) {
    this.driver = driver;
    this.#user = driver === "rootless" && process.getuid?.() === 0 ? { user: 65534 } : {};
    chmodSync(this.directory, 0o777);
  }

  /** Writes a file for `varve` to read. @returns its path */
  file(name: string, bytes: Uint8Array | string): string {
    const path = join(this.directory, name);
    writeFileSync(path, bytes);
    return path;
  }

  /** Runs the command on the root, and kills it when it hangs: status 137. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    const global = ["--root", this.root, "--driver", this.driver, "--durability", "none"];
    const child = startVarve([...global, ...args], { directory: this.directory, ...this.#user, ...options });
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    child.stdin.on("error", () => {}); // a command that refuses its input closes it
    child.stdin.end(options.input);
    try {
      return await ended(child);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Loads an archive, saves what came out of it to `saved.tar`, and removes it again. */
  async take(archive: string): Promise<Outcome> {
    this.#taker ??= new Taker([dirname(dirname(varvePath())), this.root, this.driver], this.#user.user);
    return await this.#taker.ask({ archive, saved: join(this.directory, "saved.tar") });
  }

  /** The layers that the last `take` saved, in the order of the manifest, repeated ones left out. */
  savedLayers(): Buffer[] {
    const members = new Map(
      readTar(readFileSync(join(this.directory, "saved.tar"))).map(({ header, content }) => [
        header.name as string,
        content,
      ]),
    );
    const manifest = JSON.parse(members.get("manifest.json")!) as { Layers: string[] }[];
    return manifest.flatMap(({ Layers }) => Layers.map((path) => Buffer.from(members.get(path)!, "latin1")));
  }

  /**
   * What is not as it was when this was asked last: paths, kinds, modes, owners and contents of all that is in the root,
   * but for the stamp that moves with each look under the lock, and for lease files: their locks end with their process,
   * and the next writer clears them away.
   */
  changes(): string[] {
    const before = this.#before;
    this.#before = listTree(this.root).filter(
      ({ path }) => path !== "varve/generation" && !path.startsWith("varve/leases/"),
    );
    return compareTrees(before, this.#before, ["mtime"]);
  }

  /** Bytes of disk that the root takes. */
  diskUsage(): number {
    return Number(execFileSync("du", ["-s", "--block-size=1", this.root], { encoding: "utf8" }).split("\t")[0]);
  }

  async open(): Promise<void> {
    const archive = this.file("kept.tar", tarOf(dockerMembers([{ image: kept, tags: [KEPT_TAG] }, { image: above }])));
    const { status, error } = await this.run(["load", "-q", "-i", archive]);
    if (status !== 0) throw new Error(error);
    this.changes();
  }

  async close(): Promise<void> {
    await this.#taker?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** For the changes that a load and a removal make: the log of events may grow. */
export function isNoEvent(change: string): boolean {
  return !change.startsWith("varve/events.jsonl: ");
}

/** A bench for the tests of the `describe` that calls this. */
export function useBench(driver: DriverName): Bench {
  const bench = new Bench(driver);
  beforeAll(() => bench.open());
  afterAll(() => bench.close());
  return bench;
}

/** The program that answers what became of an archive. */
class Taker {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #answers: AsyncIterator<string>;

  constructor(args: readonly string[], user: number | undefined) {
    const identity = user === undefined ? {} : { uid: user, gid: user };
    this.#child = spawn(process.execPath, [join(import.meta.dirname, "taker.mjs"), ...args], {
      cwd: "/",
      env: { PATH: process.env.PATH },
      ...identity,
    });
    this.#child.stderr.pipe(process.stderr);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async ask(question: object): Promise<Outcome> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), PATIENCE_MS);
    try {
      this.#child.stdin.write(`${JSON.stringify(question)}\n`);
      const answer = await this.#answers.next();
      if (answer.done) throw new Error(`it hung or died: ${JSON.stringify(question)}`);
      return JSON.parse(answer.value) as Outcome;
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.stdin.end();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await closed;
  }
}
