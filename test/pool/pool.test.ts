import { spawnSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { BuiltProgram } from "../driver/built-program.ts";

/** One program that is both the main thread and, as its own entry file, the workers. It prints what happened. */
const PROGRAM = `
import { isMainThread, threadId } from "node:worker_threads";
import { WorkerPool } from "./dist/pool/pool.js";
import { serve } from "./dist/pool/serve.js";
import { VarveError } from "./dist/errors.js";

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const jobs = {
  async echo({ value, notes = 0 }, task) {
    for (let i = 1; i <= notes; i++) task.note(i);
    return value;
  },
  async thread(ms) {
    await sleep(ms);
    return threadId;
  },
  async spin(_, task) {
    task.note(1);
    for (;;) task.throwIfCancelled();
  },
  async fail() {
    throw new VarveError("no-space", "full", { errno: "ENOSPC" });
  },
  async die() {
    process.exit(3);
  },
  async crash() {
    setTimeout(() => { throw new TypeError("not caught"); });
    await new Promise(() => {});
  },
};

const outcome = (promise) =>
  promise.then((value) => ({ value }), ({ name, code, message, details, cause }) => ({ name, code, message, details, cause }));

async function main() {
  const pool = new WorkerPool(new URL(import.meta.url));
  const two = pool.lane(2);
  const said = {};
  const threads = await Promise.all([1, 2, 3, 4, 5, 6].map(() => two.run("thread", 50)));
  said.twoThreads = new Set(threads).size;
  const one = pool.lane(1);
  let running = 0, most = 0;
  const counted = async () => {
    await one.run("echo", { value: 0, notes: 1 }, { onNote: () => { most = Math.max(most, ++running); } });
    running--;
  };
  await Promise.all([counted(), counted(), counted()]);
  said.mostInLaneOfOne = most;

  const notes = [];
  said.echo = [await two.run("echo", { value: { a: [1] }, notes: 3 }, { onNote: (n) => notes.push(n) }), notes];
  said.fail = await outcome(two.run("fail"));

  const stop = new AbortController();
  const queued = new AbortController();
  const spinning = outcome(one.run("spin", 0, { signal: stop.signal, onNote: () => queued.abort("enough") }));
  said.queued = await outcome(one.run("echo", { value: 1 }, { signal: queued.signal }));
  stop.abort("stop");
  said.stopped = await spinning;
  said.early = await outcome(one.run("echo", { value: 1 }, { signal: stop.signal }));

  const refusal = new Error("no more of this");
  said.refused = (await outcome(one.run("spin", 0, { onNote: () => { throw refusal; } }))).message;
  said.die = await outcome(one.run("die"));
  said.crash = (await outcome(one.run("crash"))).message;
  said.after = await one.run("echo", { value: "alive" });
  console.log(JSON.stringify(said));
}

if (isMainThread) await main();
else serve(jobs);
`;

describe("a pool of workers", () => {
  let program: BuiltProgram;
  // biome-ignore lint/suspicious/noExplicitAny: what the program printed
  let said: any;
  let milliseconds = 0;

  beforeAll(() => {
    program = new BuiltProgram(PROGRAM);
    const start = Date.now();
    const { stdout, stderr } = spawnSync(process.execPath, [program.path], { encoding: "utf8", timeout: 60_000 });
    milliseconds = Date.now() - start;
    expect(stderr).toBe("");
    said = JSON.parse(stdout);
  });
  afterAll(() => program[Symbol.dispose]());

  test("has no more threads than its widest lane, and no more jobs of a lane at a time than that allows", () => {
    expect(said).toMatchObject({ twoThreads: 2, mostInLaneOfOne: 1 });
  });

  test("gives results and notes, in order", () => {
    expect(said.echo).toEqual([{ a: [1] }, [1, 2, 3]]);
  });

  test("gives a job's failure with its code and details", () => {
    expect(said.fail).toMatchObject({ code: "no-space", message: "full", details: { errno: "ENOSPC" } });
  });

  test("stops a job that runs, drops one that waits, and does not begin one that is late", () => {
    expect(said.stopped).toMatchObject({ code: "cancelled", cause: "stop" });
    expect(said.queued).toMatchObject({ code: "cancelled", cause: "enough" });
    expect(said.early).toMatchObject({ code: "cancelled", cause: "stop" });
  });

  test("ends a job whose listener throws, with what that threw", () => {
    expect(said.refused).toBe("no more of this");
  });

  test("tells when a worker dies in the middle of a job, and starts another", () => {
    expect(said.die.message).toBe("a worker ended with code 3 in the middle of its work");
    expect(said.crash).toBe("not caught");
    expect(said.after).toBe("alive");
  });

  test("works in a program that stands on the command line", () => {
    const line =
      "const { WorkerPool } = await import(process.env.POOL); " +
      "console.log(await new WorkerPool(new URL(process.env.ENTRY)).lane(1).run('echo', { value: 'alive' }));";
    const env = {
      ...process.env,
      POOL: new URL("dist/pool/pool.js", pathToFileURL(program.path)).href,
      ENTRY: pathToFileURL(program.path).href,
    };
    const flags = ["--input-type=module", "-e", line];
    const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: "utf8", env, timeout: 60_000 });
    expect({ stdout, stderr }).toEqual({ stdout: "alive\n", stderr: "" });
  });

  test("does not keep its process alive", () => {
    // Idle workers would end by themselves only after seconds; a busy machine may need some of them.
    expect(milliseconds).toBeLessThan(30_000);
  });
});
