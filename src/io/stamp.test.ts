import {
  chmodSync,
  linkSync,
  mkdtempSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { isSettled, stampOf } from "./stamp.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-stamp-"));
  for (const name of NAMES) {
    writeFileSync(at(name), "12345");
    utimesSync(at(name), LONG_AGO, LONG_AGO);
  }
});
afterEach(() => rmSync(directory, { recursive: true }));

const NAMES = ["a", "b"];
const at = (name: string): string => join(directory, name);

/** Whole seconds, so that setting them again is exact. */
const LONG_AGO = 1_600_000_000;

function withOldTimes(change: () => void): void {
  const { mtimeMs } = statSync(at("b"));
  change();
  utimesSync(at("b"), LONG_AGO, LONG_AGO);
  expect(statSync(at("b")).mtimeMs).toBe(mtimeMs);
}

describe("a stamp", () => {
  test("stays while nobody changes anything, and means these files in this order", () => {
    const stamp = stampOf(directory, NAMES);
    expect(stampOf(directory, NAMES)).toBe(stamp);
    expect(stampOf(directory, ["b", "a"])).not.toBe(stamp);
    expect(stampOf(directory, ["a"])).not.toBe(stamp);
  });

  test.each<[string, () => void]>([
    ["another length", () => writeFileSync(at("b"), "123456")],
    ["the same length, written in place", () => writeFileSync(at("b"), "54321")],
    ["the same content in another file", () => replace("b", "12345")],
    ["the same content and times in another file", () => withOldTimes(() => replace("b", "12345"))],
    ["other content with the old times set", () => withOldTimes(() => writeFileSync(at("b"), "54321"))],
    ["another mode", () => chmodSync(at("b"), 0o600)],
    ["one more name", () => linkSync(at("b"), at("c"))],
    ["no file", () => rmSync(at("b"))],
    ["a link to it", linkInstead],
  ])("differs after %s", async (_, change) => {
    const stamp = stampOf(directory, NAMES);
    await new Promise((resolve) => setTimeout(resolve, 20)); // a tick of the file system's clock
    change();
    expect(stampOf(directory, NAMES)).not.toBe(stamp);
  });

  test("of links is that of what they lead to, where it is followed", async () => {
    symlinkSync("b", at("link"));
    const [own, followed] = [stampOf(directory, ["link"]), stampOf(directory, ["link"], { follow: true })];
    expect(followed).toBe(stampOf(directory, ["b"]));
    await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(at("b"), "54321");
    expect(stampOf(directory, ["link"])).toBe(own);
    expect(stampOf(directory, ["link"], { follow: true })).not.toBe(followed);
  });

  test("of nothing is none", () => {
    expect(stampOf(directory, ["x", "y"])).toBeUndefined();
    expect(stampOf(at("a"), ["x"])).toBeUndefined();
    expect(stampOf(directory, ["x", "a"])).toBeDefined();
  });

  test("is settled when every file has been left alone for longer than any clock's tick", () => {
    const stamp = stampOf(directory, NAMES)!;
    expect(isSettled(stamp, Date.now())).toBe(false);
    expect(isSettled(stamp, Date.now() + 10_000)).toBe(true);
    utimesSync(at("b"), new Date(), new Date(Date.now() + 3_600_000));
    expect(isSettled(stampOf(directory, NAMES)!, Date.now() + 10_000)).toBe(false);
    utimesSync(at("b"), new Date(0), new Date(0));
    expect(isSettled(stampOf(directory, NAMES)!, Date.now())).toBe(false);
  });
});

function replace(name: string, content: string): void {
  writeFileSync(at("new"), content);
  renameSync(at("new"), at(name));
}

function linkInstead(): void {
  renameSync(at("b"), at("c"));
  symlinkSync("c", at("b"));
}
