import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { populateInitLayer } from "./init-layer.ts";

describe("an init layer", () => {
  const owner = { uid: process.getuid!(), gid: process.getgid!() };
  let directory: string;
  let root: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "layer-init-"));
    root = join(directory, "root");
    mkdirSync(root);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const listing = (): string[] => {
    const names = readdirSync(root, { recursive: true }) as string[];
    return names.sort().map((name) => {
      const stat = lstatSync(join(root, name));
      const kind = stat.isSymbolicLink() ? readlinkSync(join(root, name)) : stat.isDirectory() ? "d" : `${stat.size}`;
      return `${name} ${kind} ${stat.isSymbolicLink() ? "" : (stat.mode & 0o7777).toString(8)}`.trim();
    });
  };
  const complete = [
    ".dockerenv 0 755",
    "dev d 755",
    "dev/console 0 755",
    "dev/pts d 755",
    "dev/shm d 755",
    "etc d 755",
    "etc/hostname 0 755",
    "etc/hosts 0 755",
    "etc/mtab /proc/mounts",
    "etc/resolv.conf 0 755",
    "proc d 755",
    "sys d 755",
  ];

  test("of an empty image has all that a runtime mounts onto, whatever the umask", () => {
    const umask = process.umask(0o077);
    try {
      populateInitLayer(root, owner);
    } finally {
      process.umask(umask);
    }
    expect(listing()).toEqual(complete);
  });

  test("keeps directories of the image with their mode, also where a file should be", () => {
    mkdirSync(join(root, "etc/hosts"), { recursive: true });
    chmodSync(join(root, "etc"), 0o700);
    populateInitLayer(root, owner);
    expect(listing()).toEqual(
      complete.map((line) => line.replace("etc d 755", "etc d 700").replace("hosts 0", "hosts d")),
    );
  });

  test("puts empty files and its own link in place of what the image has there", () => {
    mkdirSync(join(root, "etc"));
    for (const name of ["hosts", "mtab"]) writeFileSync(join(root, "etc", name), "old");
    symlinkSync("nowhere", join(root, "etc/hostname"));
    populateInitLayer(root, owner);
    expect(listing()).toEqual(complete);
  });

  test("never leaves its root, whatever links the image has", () => {
    const outside = join(directory, "outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "hosts"), "precious");
    for (const name of ["etc", "dev", "proc"]) symlinkSync(outside, join(root, name));
    symlinkSync(join(outside, "sys"), join(root, "sys"));
    symlinkSync(join(outside, "env"), join(root, ".dockerenv"));
    populateInitLayer(root, owner);
    expect(listing()).toEqual(complete);
    expect(readdirSync(outside)).toEqual(["hosts"]);
    expect(readFileSync(join(outside, "hosts"), "utf8")).toBe("precious");
  });

  test("can be filled a second time", () => {
    populateInitLayer(root, owner);
    populateInitLayer(root, owner);
    expect(listing()).toEqual(complete);
    expect(existsSync(join(root, "etc/mtab"))).toBe(existsSync("/proc/mounts"));
  });
});
