import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { BuiltProgram } from "./built-program.ts";

const lack = lacking("root", "strace");

describe.skipIf(lack)(`what is on the disk${lack ?? ""}`, () => {
  let program: BuiltProgram;
  let root: string;
  beforeAll(() => {
    program = new BuiltProgram(PROGRAM);
  });
  afterAll(() => program[Symbol.dispose]());
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "driver-durability-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  /** The calls that bring something to the disk, in order, and the program's own marks between them. */
  function trace(driver: string, durability: string, ...steps: string[]): string[] {
    const log = join(root, "log");
    const command = ["-f", "-y", "-o", log, "-e", "trace=fsync,fdatasync,syncfs,write"];
    const run = spawnSync("strace", [...command, process.execPath, program.path, root, driver, durability, ...steps], {
      encoding: "utf8",
    });
    expect(run.status, run.stderr).toBe(0);
    const calls = readFileSync(log, "utf8").matchAll(/ (fsync|fdatasync|syncfs|write)\((?:\d+<([^>]*)>)?(.*)/g);
    const seen: string[] = [];
    for (const [, call, path = "", rest = ""] of calls) {
      const mark = /"done (\w+)/.exec(rest)?.[1];
      if (mark !== undefined) seen.push(`-- ${mark}`);
      else if (call !== "write" && path.startsWith(root)) seen.push(`${call} ${path.slice(root.length)}`);
    }
    return seen;
  }

  test.each(["overlay2", "vfs", "rootless"])("is left to the kernel by %s with durability none", (driver) => {
    expect(trace(driver, "none", "create", "apply")).toEqual(["-- create", "-- apply"]);
  });

  test.each(["overlay2", "vfs", "rootless"])("is a layer of %s when finish returns", (driver) => {
    for (const durability of ["layer", "strict"]) {
      const seen = trace(driver, durability, "create", "apply", "remove");
      expect(seen).toEqual(["-- create", `syncfs /${driver}`, "-- apply", "-- remove"]);
    }
  });

  test("is a container's tree of overlay2 when its creation returns", () => {
    const seen = trace("overlay2", "layer", "create", "createReadWrite");
    expect(seen).toEqual([
      "-- create",
      "fsync /overlay2/rw/link",
      "fsync /overlay2/rw/lower",
      "fsync /overlay2/rw",
      "fsync /overlay2/l",
      "fsync /overlay2",
      "fsync /overlay2/layer/committed",
      "fsync /overlay2/layer",
      "-- createReadWrite",
    ]);
  });

  test("is a container's tree of vfs when its creation returns", () => {
    const seen = trace("vfs", "layer", "create", "createReadWrite");
    expect(seen).toEqual(["-- create", "syncfs /vfs", "-- createReadWrite"]);
  });
});

const PROGRAM = `
import { writeSync } from "node:fs";
import { openDriver } from "./dist/driver/select.js";
import { newHeader } from "./dist/tar/header.js";

const [root, name, durability, ...steps] = process.argv.slice(2);
const driver = await openDriver(root, { name, durability });
const calls = {
  create: () => driver.create("layer"),
  createReadWrite: () => driver.createReadWrite("rw", "layer"),
  remove: () => driver.remove("layer"),
  async apply() {
    const applier = await driver.applier("layer");
    applier.sink.entry(newHeader({ name: "file", size: 1, mode: 0o644 }));
    applier.sink.data(Buffer.from("x"));
    applier.sink.entryEnd();
    await applier.finish();
  },
};
for (const step of steps) {
  await calls[step]();
  writeSync(1, "done " + step);
}
`;
