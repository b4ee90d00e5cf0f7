import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf, hexOf } from "../digest/digest.ts";
import { imageBackendSuite } from "../testing/image-backend-suite.ts";
import { FileBackend } from "./file-backend.ts";

for (const sync of [true, false])
  imageBackendSuite(`on disk, ${sync ? "synced" : "not synced"}`, () => {
    const directory = mkdtempSync(join(tmpdir(), "varve-imagedb-"));
    return {
      backend: new FileBackend(join(directory, "image", "imagedb"), { sync }),
      close: () => rmSync(directory, { recursive: true }),
    };
  });

describe("the imagedb", () => {
  const raw = Buffer.from('{"rootfs":{}}');
  const hex = hexOf(digestOf(raw));
  let directory: string;
  let backend: FileBackend;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "varve-imagedb-"));
    backend = new FileBackend(directory, { sync: false });
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test("has the files, names and modes that dockerd gives it", () => {
    const id = backend.set(raw);
    backend.setMetadata(id, "parent", Buffer.from("p"));
    const mode = (path: string) => statSync(join(directory, path)).mode & 0o777;
    expect(readdirSync(directory, { recursive: true }).map(String).sort()).toEqual([
      "content",
      "content/sha256",
      `content/sha256/${hex}`,
      "metadata",
      "metadata/sha256",
      `metadata/sha256/${hex}`,
      `metadata/sha256/${hex}/parent`,
    ]);
    expect(mode(`content/sha256/${hex}`)).toBe(0o600);
    expect(mode(`metadata/sha256/${hex}/parent`)).toBe(0o600);
    for (const path of ["content", "content/sha256", "metadata", `metadata/sha256/${hex}`])
      expect(mode(path)).toBe(0o700);
    backend.delete(id);
    expect(existsSync(join(directory, "metadata/sha256", hex))).toBe(false);
  });

  test("does not take anything else for an image", () => {
    backend.set(raw);
    const content = join(directory, "content/sha256");
    for (const name of [`.tmp-${hex}123`, "README", hex.slice(1), `${hex.slice(1)}G`, hex.toUpperCase()])
      writeFileSync(join(content, name), raw);
    expect(backend.ids()).toEqual([`sha256:${hex}`]);
  });

  test("reports bytes that are not those that were kept", () => {
    const id = backend.set(raw);
    writeFileSync(join(directory, "content/sha256", hex), "tampered");
    expect(() => backend.get(id)).toThrow(
      expect.objectContaining({ code: "corrupt", message: `failed to verify: ${id}` }),
    );
    expect(() => backend.setMetadata(id, "parent", raw)).toThrow(expect.objectContaining({ code: "corrupt" }));
    expect(existsSync(join(directory, "metadata"))).toBe(false);
  });

  test("reports a directory where an image should be", () => {
    mkdirSync(join(directory, "content/sha256", hex), { recursive: true });
    expect(() => backend.get(`sha256:${hex}`)).toThrow(expect.objectContaining({ code: "corrupt" }));
  });

  test("leaves no draft behind when it cannot write", () => {
    const id = backend.set(raw);
    mkdirSync(join(directory, "metadata/sha256", hex, "parent", "x"), { recursive: true });
    expect(() => backend.setMetadata(id, "parent", raw)).toThrow(expect.objectContaining({ name: "VarveError" }));
    expect(readdirSync(join(directory, "metadata/sha256", hex))).toEqual(["parent"]);
  });
});
