import { appendFileSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { EventLog, type StoreEvent } from "./events.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-events-"));
  path = join(directory, "varve", "events.jsonl");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

function add(log: EventLog, ...ids: string[]): void {
  for (const id of ids) log.append({ type: "image", action: "tag", id, attributes: { name: id } });
}

async function eventsOf(log: EventLog): Promise<StoreEvent[]> {
  const events: StoreEvent[] = [];
  for await (const event of log.read({ since: 0n, until: BigInt(Date.now() + 1) * 1_000_000n })) events.push(event);
  return events;
}

async function idsOf(log: EventLog): Promise<string[]> {
  return (await eventsOf(log)).map(({ id }) => id);
}

test("events are told in order, by any process, each later than the one before", async () => {
  expect(await idsOf(new EventLog(path))).toEqual([]);
  add(new EventLog(path), "a", "b", "c");
  add(new EventLog(path), "d");
  const events = await eventsOf(new EventLog(path));
  expect(events.map(({ id }) => id)).toEqual(["a", "b", "c", "d"]);
  const times = events.map(({ timeNano }) => BigInt(timeNano));
  expect(new Set(times).size).toBe(4);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a reader who waits is told what comes, also across the change to a new file, until he is told to stop", async () => {
  const log = new EventLog(path);
  add(log, "early");
  const controller = new AbortController();
  const told: string[] = [];
  const reading = (async () => {
    for await (const { id } of log.read({ since: 0n, signal: controller.signal })) told.push(id);
  })();
  await expect.poll(() => told, { timeout: 5000 }).toEqual(["early"]);
  add(log, "last of its file");
  // As long as a file may be: the next event begins a new one.
  appendFileSync(path, `${" ".repeat(4 << 20)}\n`);
  add(log, "first of the next");
  expect(statSync(path).size).toBeLessThan(1000);
  await expect.poll(() => told, { timeout: 5000 }).toEqual(["early", "last of its file", "first of the next"]);
  controller.abort();
  await reading;
  expect(await idsOf(log)).toEqual(["early", "last of its file", "first of the next"]);
});

test("a line that a dying process left half-written costs what was written behind it, and no more", async () => {
  const log = new EventLog(path);
  add(log, "a", "b");
  truncateSync(path, statSync(path).size - 10);
  add(log, "lost", "c");
  expect(await idsOf(log)).toEqual(["a", "c"]);
});

test("a reader who is slow gets what came meanwhile, in pieces of the files that there are", async () => {
  const log = new EventLog(path);
  const ids = Array.from({ length: 2000 }, (_, i) => `${i}`.padStart(200, "0"));
  add(log, ids[0]!);
  const events = log.read({ since: 0n });
  expect((await events.next()).value).toMatchObject({ id: ids[0] });
  add(log, ...ids.slice(1, 1000));
  appendFileSync(path, `${" ".repeat(4 << 20)}\n`);
  add(log, ...ids.slice(1000));
  for (const id of ids.slice(1)) expect((await events.next()).value).toMatchObject({ id });
  await events.return(undefined);
  expect(readdirSync("/proc/self/fd").filter((fd) => linkOf(fd).startsWith(directory))).toEqual([]);
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ""; // of the listing itself
  }
}
