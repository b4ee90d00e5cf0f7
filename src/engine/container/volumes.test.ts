import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LocalVolumes } from "./volumes.ts";

let scratch: string;
let volumes: LocalVolumes;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "varve-volumes-"));
  volumes = new LocalVolumes(join(scratch, "volumes"), { idMap: undefined, sync: false });
  mkdirSync(join(scratch, "content"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

function content(text: string): string {
  writeFileSync(join(scratch, "content/file"), text);
  return join(scratch, "content");
}

describe("local volumes", () => {
  test("are made whole, as anonymous ones, and then named", () => {
    const made = volumes.make();
    expect(made).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(volumes.dataOf(made)).mode & 0o777).toBe(0o755);
    expect(statSync(join(scratch, "volumes", made)).mode & 0o777).toBe(0o701);
    volumes.settle(made, "mine");
    expect(readdirSync(join(scratch, "volumes"))).toEqual(["mine"]);
    expect([volumes.has("mine"), volumes.isEmpty("mine")]).toEqual([true, true]);
    volumes.remove("mine");
    expect(volumes.has("mine")).toBe(false);
  });

  test("get what is there already, unless another was quicker", () => {
    const [first, second, third] = [volumes.make(), volumes.make(content("second")), volumes.make(content("third"))];
    volumes.settle(first, "mine");
    volumes.settle(second, "mine"); // it is empty
    volumes.settle(third, "mine");
    expect(readFileSync(join(volumes.dataOf("mine"), "file"), "utf8")).toBe("second");
    expect(readdirSync(join(scratch, "volumes"))).toEqual(["mine"]);
  });

  test("have names that Docker takes, if it can be known whether a plugin's volume has them", () => {
    volumes.checkName("fine.name-1");
    expect(() => volumes.checkName("x")).toThrow("create x: volume name is too short");
    for (const name of ["../x", "a/b", ".a", "a b", ""])
      expect(() => volumes.checkName(name)).toThrow("includes invalid characters for a local volume name");
    for (const name of ["metadata.db", "backingFsBlockDev"])
      expect(() => volumes.checkName(name)).toThrow(`create ${name}: docker keeps a file of its own under this name`);
    mkdirSync(join(scratch, "volumes"));
    writeFileSync(join(scratch, "volumes/metadata.db"), "no database");
    expect(() => volumes.checkName("there")).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  test("are out of reach before they are deleted", () => {
    const made = volumes.make();
    const aside = volumes.setAside(made);
    expect([volumes.has(made), volumes.has(aside)]).toEqual([false, true]);
  });
});
