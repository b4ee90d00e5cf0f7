import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Overlay2Driver } from "../../src/driver/overlay2/overlay2.ts";
import { apply } from "../../src/testing/feed-driver.ts";
import { BuiltProgram } from "./built-program.ts";
import { lackingOverlay } from "./kernel-support.ts";

const lack = lackingOverlay();

describe.skipIf(lack)(`overlay2 in many processes${lack ?? ""}`, () => {
  let program: BuiltProgram;
  let root: string;
  let home: string;
  let processes: Helper[];

  beforeAll(() => {
    program = new BuiltProgram(PROGRAM);
  });
  afterAll(() => program[Symbol.dispose]());

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "driver-shared-"));
    home = join(root, "overlay2");
    processes = [];
    const driver = new Overlay2Driver({ home, durability: "none" });
    await driver.create("base");
    await apply(driver, "base", undefined, [{ path: "file", content: "x" }]);
    await driver.createReadWrite("rw", "base");
  });
  afterEach(async () => {
    for (const each of processes) await each.end("SIGKILL");
    await new Overlay2Driver({ home, durability: "none" }).cleanup();
    rmSync(root, { recursive: true });
  });

  const merged = (): string => join(home, "rw", "merged");
  const seen = (): string[] | undefined => (existsSync(merged()) ? readdirSync(merged()) : undefined);

  function helper(): Helper {
    const started = new Helper(fork(program.path, [home]));
    processes.push(started);
    return started;
  }

  test("a mount stays until the last of them puts it back, whoever mounted it", async () => {
    for (const leave of ["first", "second"]) {
      const [first, second] = [helper(), helper()];
      await first.call("get", "rw");
      await second.call("get", "rw");
      await (leave === "first" ? first : second).call("put", "rw");
      expect(seen()).toEqual(["file"]);
      await (leave === "first" ? second : first).call("put", "rw");
      expect(seen()).toBeUndefined();
    }
  });

  test("a killed one takes no mount from the others, and one who comes later may take down what it left", async () => {
    const [killed, other] = [helper(), helper()];
    await killed.call("get", "rw");
    await other.call("get", "rw");
    await killed.end("SIGKILL");
    expect(seen()).toEqual(["file"]);
    await other.end("SIGKILL");
    expect(seen()).toEqual(["file"]);
    const later = helper();
    await later.call("get", "rw");
    await later.call("put", "rw");
    expect(seen()).toEqual(["file"]);
    await later.call("put", "rw");
    expect(seen()).toBeUndefined();
  });

  test("a tree that another one has mounted is not removed", async () => {
    const holder = helper();
    await holder.call("get", "rw");
    await expect(helper().call("remove", "rw")).rejects.toThrow("layer is mounted");
    await holder.call("put", "rw");
    await helper().call("remove", "rw");
    expect(existsSync(join(home, "rw"))).toBe(false);
  });

  test("all see the tree as long as they hold it, however they come and go", async () => {
    const all = Array.from({ length: 4 }, helper);
    await Promise.all(all.map((each) => each.call("visit", "rw", "60")));
    expect(seen()).toBeUndefined();
    expect(readdirSync(join(root, "varve", "mounts"))).toEqual(["section"]);
  });

  test("children of one parent may be made by all at once", async () => {
    const all = Array.from({ length: 4 }, helper);
    await Promise.all(all.map((each, index) => each.call("breed", "base", `${index}`)));
    const driver = new Overlay2Driver({ home, durability: "none" });
    expect(driver.ids()).toHaveLength(2 + 4 * 25);
    expect(readdirSync(join(home, "l"))).toHaveLength(2 + 4 * 25);
  });
});

/** A process that does what it is told, one call at a time. */
class Helper {
  readonly #child: ChildProcess;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  async call(...words: string[]): Promise<void> {
    this.#child.send(words);
    const [answer] = (await once(this.#child, "message")) as [string];
    if (answer !== "done") throw new Error(answer);
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }
}

const PROGRAM = `
import { readFileSync } from "node:fs";
import { Overlay2Driver } from "./dist/driver/overlay2/overlay2.js";

const driver = new Overlay2Driver({ home: process.argv[2], durability: "none" });
const calls = {
  get: (id) => driver.get(id),
  put: (id) => driver.put(id),
  remove: (id) => driver.remove(id),
  async visit(id, times) {
    for (let round = 0; round < Number(times); round++) {
      const path = await driver.get(id);
      if (readFileSync(path + "/file", "utf8") !== "x") throw new Error("the tree is not there");
      await driver.put(id);
    }
  },
  async breed(parent, name) {
    for (let child = 0; child < 25; child++) await driver.create(name + "-" + child, parent);
  },
};
process.on("message", ([call, ...words]) =>
  calls[call](...words).then(() => process.send("done"), (error) => process.send(String(error))));
`;
