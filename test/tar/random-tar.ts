import fc from "fast-check";
import { type ByteString, fromBytes, fromText } from "../../src/sys/byte-string.ts";
import { cleanName } from "../../src/tar/clean-name.ts";
import { type Fragment, type Header, isHeaderOnly, newHeader } from "../../src/tar/header.ts";
import { formatRecord } from "../../src/tar/pax.ts";
import { END_OF_ARCHIVE, encodeHeader, paddingOf } from "../../src/tar/writer.ts";

/** Tars for property tests: of every dialect, with every kind of sparse file, and with all ways of ending. */

export interface RandomTar {
  readonly bytes: Buffer;
  readonly entries: readonly RandomEntry[];
}

export interface RandomEntry {
  readonly name: ByteString;
  readonly size: number;
  /** What follows the header in the stream, without holes. */
  readonly payload: Buffer;
  readonly fragments?: readonly Fragment[];
}

/** The bytes of a header of any type, with its checksum put right. For what `encodeHeader` would not write. */
export function rawHeader(
  fields: Partial<Header> & { readonly name: ByteString },
  patch?: (block: Buffer) => void,
): Buffer {
  const block = encodeHeader(newHeader({ ...fields, type: "7", format: "gnu" }));
  block[156] = (fields.type ?? "0").charCodeAt(0);
  patch?.(block);
  return reseal(block);
}

export function reseal(block: Buffer): Buffer {
  block.fill(" ", 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
}

export function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes, paddingOf(bytes.length)]);
}

/** A PAX header with these records, whatever they are. */
export function paxRecords(records: readonly (readonly [string, string])[], type = "x"): Buffer {
  const data = Buffer.from(records.map(([key, value]) => formatRecord(key, value as ByteString)).join(""), "latin1");
  const head = rawHeader({ name: fromText("PaxHeaders.0/x"), type, size: data.length }, ustarMagic);
  return Buffer.concat([head, padded(data)]);
}

export function ustarMagic(block: Buffer): void {
  block.write("ustar\x0000", 257, "latin1");
}

/** A sparse file of each kind that GNU tar can write. */
export type SparseKind = "old" | "0.0" | "0.1" | "1.0";

export function sparseFile(
  kind: SparseKind,
  name: ByteString,
  map: readonly Fragment[],
  size: number,
  data: Buffer,
): Buffer {
  const numbers = map.flatMap(({ offset, length }) => [offset, length]);
  if (kind === "old") return oldSparseFile(name, map, size, data);
  if (kind === "1.0") {
    const table = padded(Buffer.from([map.length, ...numbers].map((number) => `${number}\n`).join("")));
    const records = paxRecords([
      ["GNU.sparse.major", "1"],
      ["GNU.sparse.minor", "0"],
      ["GNU.sparse.name", name],
      ["GNU.sparse.realsize", String(size)],
    ]);
    const stored = Buffer.concat([table, data]);
    return Buffer.concat([records, rawHeader({ name, size: stored.length }, ustarMagic), padded(stored)]);
  }
  const offsets: [string, string][] = map.flatMap(({ offset, length }) => [
    ["GNU.sparse.offset", String(offset)],
    ["GNU.sparse.numbytes", String(length)],
  ]);
  const records = paxRecords([
    ["GNU.sparse.size", String(size)],
    ["GNU.sparse.numblocks", String(map.length)],
    ...(kind === "0.0" ? offsets : ([["GNU.sparse.map", numbers.join(",")]] as [string, string][])),
    ...(kind === "0.1" ? ([["GNU.sparse.name", name]] as [string, string][]) : []),
  ]);
  return Buffer.concat([records, rawHeader({ name, size: data.length }, ustarMagic), padded(data)]);
}

function oldSparseFile(name: ByteString, map: readonly Fragment[], size: number, data: Buffer): Buffer {
  const octal = (number: number): string => `${number.toString(8).padStart(11, "0")}\0`;
  const entry = ({ offset, length }: Fragment): string => octal(offset) + octal(length);
  const header = rawHeader({ name, type: "S", size: data.length }, (block) => {
    block.write(map.slice(0, 4).map(entry).join(""), 386, "latin1");
    if (map.length > 4) block[482] = 1;
    block.write(octal(size), 483, "latin1");
  });
  const extensions: Buffer[] = [];
  for (let at = 4; at < map.length; at += 21) {
    const block = Buffer.alloc(512);
    block.write(
      map
        .slice(at, at + 21)
        .map(entry)
        .join(""),
      "latin1",
    );
    if (at + 21 < map.length) block[504] = 1;
    extensions.push(block);
  }
  return Buffer.concat([header, ...extensions, padded(data)]);
}

export const byteString: fc.Arbitrary<ByteString> = fc.uint8Array({ minLength: 1, maxLength: 40 }).map(fromBytes);

/** Names without NUL, as often plain as odd, as often short as long. */
export const randomName: fc.Arbitrary<ByteString> = fc
  .array(
    fc.oneof(
      fc.constantFrom("a", "bin", ".", "..", "", ".wh.x", "ä", "\u2028<&>", 'q"\\', "\x01\x7f").map(fromText),
      fc.integer({ min: 1, max: 160 }).map((length) => "n".repeat(length) as ByteString),
      byteString.map((text) => text.replaceAll("\0", "") as ByteString),
    ),
    { minLength: 1, maxLength: 5 },
  )
  .map((parts) => parts.join("/") as ByteString);

const time = fc.record({
  seconds: fc.oneof(fc.integer(), fc.integer({ min: -(2 ** 40), max: 2 ** 40 })),
  nanoseconds: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 999_999_999 })),
});

/** Headers of types and formats that fit together, so that nearly all can be encoded. */
export const randomHeader: fc.Arbitrary<Header> = fc
  .record({
    name: randomName,
    type: fc.constantFrom("0", "0", "0", "1", "2", "3", "4", "5", "6", "7"),
    format: fc.constantFrom("pax" as const, "pax" as const, "gnu" as const, "unknown" as const),
    mode: fc.integer({ min: 0, max: 0o7777777 }),
    uid: fc.oneof(fc.nat(70_000), fc.integer({ min: -1, max: 2 ** 40 })),
    gid: fc.nat(70_000),
    size: fc.oneof(fc.nat(3), fc.nat(3000)),
    mtime: time,
    linkname: fc.oneof(fc.constant("" as ByteString), randomName),
    userName: fc.constantFrom("", "root", "jürgen", "u".repeat(40)).map(fromText),
    groupName: fc.constantFrom("", "wheel").map(fromText),
    deviceMajor: fc.nat(2_000_000),
    deviceMinor: fc.nat(2_000_000),
    records: fc.oneof(
      fc.constant(new Map<string, ByteString>()),
      fc.constant(new Map<string, ByteString>()),
      fc.uint8Array({ maxLength: 30 }).map((value) => new Map([["SCHILY.xattr.user.x", fromBytes(value)]])),
    ),
  })
  .map((fields) => {
    const isDirectory = fields.type === "5";
    const name = fields.name.replace(/\/+$/, "") || "x";
    const records = fields.format === "gnu" ? new Map() : fields.records;
    return newHeader({ ...fields, name: (isDirectory ? `${name}/` : name) as ByteString, records });
  });

const plainEntry: fc.Arbitrary<readonly [RandomEntry, Buffer]> = fc
  .tuple(randomHeader, fc.uint8Array({ minLength: 1, maxLength: 30 }))
  .map(([header, pattern]) => {
    const payload = Buffer.alloc(isHeaderOnly(header.type) ? 0 : header.size, pattern);
    return [{ name: header.name, size: header.size, payload }, Buffer.concat([encoded(header), padded(payload)])];
  });

function encoded(header: Header): Buffer {
  try {
    return encodeHeader(header);
  } catch {
    return encodeHeader({ ...header, format: "unknown", uid: 0, userName: "" as ByteString, mtime: NEVER });
  }
}

const NEVER = { seconds: 0, nanoseconds: 0 };

const sparseEntry: fc.Arbitrary<readonly [RandomEntry, Buffer]> = fc
  .record({
    kind: fc.constantFrom<SparseKind[]>("old", "0.0", "0.1", "1.0"),
    id: fc.nat(1e9),
    steps: fc.array(fc.tuple(fc.nat(600), fc.nat(600)), { minLength: 1, maxLength: 60 }),
    tail: fc.oneof(fc.constant(0), fc.nat(2 ** 33 - 100_000)),
  })
  .map(({ kind, id, steps, tail }) => {
    const fragments: Fragment[] = [];
    let end = 0;
    for (const [gap, length] of steps) {
      fragments.push({ offset: end + gap, length });
      end += gap + length;
    }
    const payload = Buffer.alloc(
      fragments.reduce((sum, { length }) => sum + length, 0),
      "sparse",
    );
    const name = fromText(`sparse-${id}`);
    const size = end + tail;
    return [{ name, size, payload, fragments }, sparseFile(kind, name, fragments, size, payload)] as const;
  });

const ending: fc.Arbitrary<Buffer> = fc.oneof(
  fc.constant(END_OF_ARCHIVE),
  fc.constantFrom(Buffer.alloc(0), Buffer.alloc(512)),
  fc.uint8Array({ maxLength: 2000 }).map((tail) => Buffer.concat([END_OF_ARCHIVE, tail])),
  fc.nat(30_000).map((length) => Buffer.concat([END_OF_ARCHIVE, Buffer.alloc(length)])),
);

/** Whole tars in which no name comes twice. */
export const randomTar: fc.Arbitrary<RandomTar> = fc
  .record({
    parts: fc.array(fc.oneof({ weight: 4, arbitrary: plainEntry }, { weight: 1, arbitrary: sparseEntry }), {
      maxLength: 8,
    }),
    global: fc.boolean(),
    end: ending,
  })
  .map(({ parts, global, end }) => {
    const names = new Set<string>();
    const unique = parts.filter(([{ name }]) => names.size < names.add(cleanName(name)).size);
    const head = global ? [paxRecords([["comment", "x"]], "g")] : [];
    return {
      bytes: Buffer.concat([...head, ...unique.map(([, bytes]) => bytes), end]),
      entries: unique.map(([entry]) => entry),
    };
  });

/** Cuts bytes at any places, the same for the same numbers. */
export function* chunksOf(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const length = lengths.length === 0 ? bytes.length : Math.max(1, lengths[i % lengths.length]!);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

export const chunkLengths: fc.Arbitrary<number[]> = fc.oneof(
  fc.constant<number[]>([]),
  fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 5 }),
  fc.constantFrom<number[][]>([1], [511], [512], [513]),
);
