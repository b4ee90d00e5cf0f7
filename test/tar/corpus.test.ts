import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Time } from "../../src/sys/time.ts";
import { type Format, type Header, parseSplitLine, TarReader } from "../../src/tar/index.ts";
import { type Answer, GO_ANSWERS } from "./go-answers.ts";
import { takeApart } from "./take-apart.ts";

const GO_TESTDATA = "/usr/share/go-1.19/src/archive/tar/testdata";
const PYTHON_TAR = "/usr/lib/python3.11/test/testtar.tar";
const absent = [
  existsSync(GO_TESTDATA) ? [] : ["golang-1.19-src"],
  existsSync(PYTHON_TAR) ? [] : ["libpython3.11-testsuite"],
].flat();

const counts = { joined: 0, "joined entry by entry, duplicates refused as tar-split does": 0, "refused as Go does": 0 };

if (absent.length > 0 && process.env.VARVE_NO_SKIP) throw new Error(`this machine has no ${absent.join(", no ")}`);
const title = absent.length === 0 ? "the corpora" : `the corpora (skipped: no ${absent.join(", ")})`;
describe.skipIf(absent.length > 0)(title, () => {
  test("are all known", () => {
    const tars = readdirSync(GO_TESTDATA).filter((file) => file.includes(".tar"));
    expect([...tars, "testtar.tar"].sort()).toEqual(GO_ANSWERS.map(({ file }) => file).sort());
  });

  describe.each(GO_ANSWERS)("$file", (answer) => {
    test("is read or refused as Go reads or refuses it", () => {
      const { entries, refusal } = readLikeGo(bytesOf(answer));
      expect(refusal).toBe(answer.refusal);
      expect(entries).toHaveLength(answer.entries);
      if (refusal === undefined) expect(digest(entries.join("\n"))).toBe(answer.headers);
    });

    test("is joined to the same bytes, or refused", () => {
      const tar = bytesOf(answer);
      const expected = answer.refusal ?? answer.splitRefusal;
      if (expected === undefined) {
        const { lines, joined } = takeApart(tar);
        expect(joined.equals(tar)).toBe(true);
        if (answer.lines !== undefined) expect(digestOfLines(lines)).toBe(answer.lines);
        counts.joined++;
        return;
      }
      expect(() => takeApart(tar)).toThrow(expect.objectContaining({ code: "invalid-archive", message: expected }));
      if (answer.refusal !== undefined) {
        counts["refused as Go does"]++;
        return;
      }
      for (const entry of entriesOf(tar)) expect(takeApart(entry).joined.equals(entry)).toBe(true);
      expect(Buffer.concat(entriesOf(tar)).equals(tar)).toBe(true);
      counts["joined entry by entry, duplicates refused as tar-split does"]++;
    });
  });

  test("are counted", () => {
    console.log(`tar corpora, ${GO_ANSWERS.length} files:`, counts);
    expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(GO_ANSWERS.length);
  });
});

function bytesOf({ file }: Answer): Buffer {
  if (file === "testtar.tar") return readFileSync(PYTHON_TAR);
  const path = join(GO_TESTDATA, file);
  return file.endsWith(".bz2") ? execFileSync("bzip2", ["-dc", path], { maxBuffer: 1 << 28 }) : readFileSync(path);
}

/** Every entry as one line of all that Go's `Header` has, and a digest of its content unless that is huge. */
function readLikeGo(tar: Buffer): { entries: string[]; refusal: string | undefined } {
  const entries: string[] = [];
  let header: Header;
  let payload: Buffer[];
  const reader = new TarReader({
    raw() {},
    header(next) {
      header = next;
      payload = [];
      entries.push(next.name);
    },
    payload: (bytes) => void payload.push(Buffer.from(bytes)),
    payloadEnd: () => void entries.splice(-1, 1, describeEntry(header, Buffer.concat(payload))),
  });
  try {
    reader.write(tar);
    reader.end();
    return { entries, refusal: undefined };
  } catch (error) {
    return { entries, refusal: (error as Error).message };
  }
}

/** Contents that are larger are not looked at. */
const HUGE = 1 << 26;

function describeEntry(header: Header, payload: Buffer): string {
  const { name, linkname, mode, uid, gid, size, mtime, atime, ctime, type, userName, groupName } = header;
  const { deviceMajor, deviceMinor, records, format } = header;
  const pairs = [...records].map(([key, value]) => `${key}=${value}`).sort();
  const times = [type === "g" ? undefined : mtime, atime, ctime].map(describeTime);
  const typeflag = type.charCodeAt(0);
  const devices = [deviceMajor, deviceMinor];
  const owner = [userName, groupName];
  const content = size > HUGE ? "big" : createHash("sha256").update(withHoles(header, payload)).digest("hex");
  const all = [
    name,
    linkname,
    mode,
    uid,
    gid,
    size,
    ...times,
    typeflag,
    ...owner,
    ...devices,
    pairs,
    GO_FORMAT[format],
  ];
  return JSON.stringify([...all, content]);
}

function withHoles({ sparse, size }: Header, payload: Buffer): Buffer {
  if (sparse === undefined) return payload;
  const content = Buffer.alloc(size);
  let at = 0;
  for (const { offset, length } of sparse) at += payload.copy(content, offset, at, at + length);
  return content;
}

const GO_FORMAT: Record<Format, string> = {
  ustar: "USTAR",
  pax: "PAX",
  gnu: "GNU",
  v7: "<unknown>",
  star: "<unknown>",
  unknown: "<unknown>",
};

function describeTime(time: Time | undefined): string {
  return time === undefined ? "" : `${time.seconds}.${String(time.nanoseconds).padStart(9, "0")}`;
}

/** The bytes of each entry with its headers and padding, and last what follows them. */
function entriesOf(tar: Buffer): Buffer[] {
  const entries: Buffer[] = [];
  let parts: Buffer[] = [];
  let complete = false;
  const reader = new TarReader({
    raw(bytes) {
      const isPadding = bytes.length < 512;
      if (complete && !isPadding) {
        entries.push(Buffer.concat(parts));
        parts = [];
        complete = false;
      }
      parts.push(Buffer.from(bytes));
    },
    header() {},
    payload: (bytes) => void parts.push(Buffer.from(bytes)),
    payloadEnd() {
      complete = true;
    },
  });
  reader.write(tar);
  reader.end();
  return [...entries, Buffer.concat(parts)];
}

/** Of the lines up to the last file, and of all that follows as one: readers cut that as it comes. */
function digestOfLines(lines: readonly string[]): string {
  const entries = lines.map(parseSplitLine);
  const last = entries.map(({ kind }) => kind).lastIndexOf("file");
  const tail = entries.slice(last + 1).map((entry) => (entry.kind === "segment" ? entry.bytes : Buffer.alloc(0)));
  return digest(
    [...lines.slice(0, last + 1).map((line) => line.trimEnd()), Buffer.concat(tail).toString("base64")].join("\n"),
  );
}

function digest(text: string): string {
  return createHash("sha256").update(text, "latin1").digest("hex").slice(0, 16);
}
