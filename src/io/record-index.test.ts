import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Packer, Unpacker } from "./packed.ts";
import { type IndexCodec, RecordIndex } from "./record-index.ts";
import { stampOf } from "./stamp.ts";

const codec: IndexCodec<string> = { pack: (value, into) => void into.text(value), unpack: (from) => from.text() };
let directory: string;
/** Of a file that was changed just now; and as if that had been long ago. */
let fresh: string;
let settled: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-record-index-"));
  writeFileSync(join(directory, "file"), "");
  fresh = stampOf(directory, ["file"])!;
  const times = Buffer.from(fresh, "latin1");
  for (const at of [16, 32]) times.writeBigInt64LE(BigInt(Math.floor(Date.now() / 1000) - 10), at);
  settled = times.toString("latin1");
});
afterEach(() => rmSync(directory, { recursive: true }));

function next(index: RecordIndex<string>): RecordIndex<string> {
  const packer = new Packer();
  index.pack(packer);
  return RecordIndex.unpack(codec, new Unpacker(packer.finish()));
}

test("gives a value again for the stamp with which it was noted, and for no other", () => {
  const first = new RecordIndex(codec);
  first.note("a", settled, "value");
  const index = next(first);
  expect(index.recall("a", settled)).toBe("value");
  expect(index.recall("a", fresh)).toBeUndefined();
  expect(index.recall("b", settled)).toBeUndefined();
});

test("keeps nothing of files that were changed just now: a second change may leave the same stamp", () => {
  const first = new RecordIndex(codec);
  first.note("a", fresh, "value");
  utimesSync(join(directory, "file"), new Date(0), new Date(0));
  first.note("b", stampOf(directory, ["file"])!, "value");
  expect(first).toMatchObject({ changes: 0, size: 0 });
});

test("hands on what was recalled or noted, and counts what is other than it was", () => {
  const first = new RecordIndex(codec);
  for (const key of ["a", "b", "c"]) first.note(key, settled, key);
  expect(first).toMatchObject({ changes: 3, size: 3 });
  const second = next(first);
  for (const key of ["a", "b", "c"]) second.recall(key, settled);
  expect(second).toMatchObject({ changes: 0, size: 3 });
  const third = next(second);
  third.recall("a", settled);
  third.note("d", settled, "d");
  expect(third).toMatchObject({ changes: 3, size: 2 });
  const fourth = next(third);
  expect(["a", "b", "c", "d"].map((key) => fourth.recall(key, settled))).toEqual(["a", undefined, undefined, "d"]);
});

test("gives its memory back", () => {
  const first = new RecordIndex(codec);
  first.note("a", settled, "value");
  const index = next(first);
  index.forget();
  expect(index.recall("a", settled)).toBeUndefined();
  index.note("b", settled, "value");
  expect(index).toMatchObject({ changes: 0, size: 0 });
});
