import { expect, test } from "vitest";
import type { ByteString } from "../sys/byte-string.ts";
import type { FileKind } from "../sys/stat.ts";
import { acceptedEncoding } from "./accepted-encoding.ts";
import { pathStatHeader } from "./path-stat.ts";

/** What Go's os.FileMode has for them. */
test.each<[FileKind, number, number]>([
  ["file", 0o644, 0o644],
  ["file", 0o6755, 0xc001ed],
  ["directory", 0o1777, 0x801001ff],
  ["symlink", 0o777, 0x80001ff],
  ["char", 0o600, 0x4200180],
  ["block", 0o600, 0x4000180],
  ["fifo", 0o600, 0x2000180],
  ["socket", 0o600, 0x1000180],
])("a %s of mode %i has the mode that Go gives it", (kind, mode, expected) => {
  const stat = { name: "n\xff<" as ByteString, kind, mode, size: 7, mtime: { seconds: 1, nanoseconds: 5 } };
  const header = pathStatHeader({ ...stat, linkTarget: "" as ByteString });
  const text = Buffer.from(header, "base64").toString();
  expect(text).toBe(
    `{"name":"n\ufffd\\u003c","size":7,"mode":${expected},"mtime":"1970-01-01T00:00:01.000000005Z","linkTarget":""}`,
  );
});

test.each([
  [undefined, undefined],
  ["", undefined],
  ["identity", undefined],
  ["gzip", "gzip"],
  ["deflate, gzip", "gzip"],
  ["gzip;q=0.1, deflate;q=0.5, br", "deflate"],
  ["*", "gzip"],
  ["gzip;q=0, deflate;q=0", undefined],
  ["gzip;q=x", undefined],
])("a client that accepts %j gets %j", (header, expected) => {
  expect(acceptedEncoding(header, ["gzip", "deflate"])).toBe(expected);
});
