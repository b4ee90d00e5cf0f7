import { VarveError } from "../errors.ts";

/**
 * Reads a bolt database, in which dockerd keeps what it has no files for: a B+ tree in pages, of which two meta pages at the
 * beginning take turns in naming the root. Only what is needed to list a bucket of the top level; nothing is written.
 *
 * @param file the whole file
 * @returns the bucket's keys and values in the order of the keys; none when there is no such bucket
 * @throws VarveError `corrupt`
 */
export function readBucket(file: Buffer, bucket: string): [key: string, value: Buffer][] {
  try {
    const { pageSize, root } = newestMeta(file);
    const tree = new Pages(file, pageSize);
    for (const { key, value, isBucket } of tree.leaves(root))
      if (isBucket && key === bucket) return bucketEntries(tree, value);
    return [];
  } catch (error) {
    throw new VarveError("corrupt", "the database is not one of bolt, or is damaged", {}, error);
  }
}

const MAGIC = 0xed0cdaed;
const PAGE_HEADER = 16;
const BRANCH = 0x01;
const LEAF = 0x02;
const IS_BUCKET = 0x01;

interface Leaf {
  readonly key: string;
  readonly value: Buffer;
  readonly isBucket: boolean;
}

/** The second meta page is where the first one says that pages are so long, or, if that one is damaged, at a usual place. */
function newestMeta(file: Buffer): { pageSize: number; root: number } {
  const found = [0, 4096, 8192, 16_384, 65_536]
    .filter((at) => file.length >= at + PAGE_HEADER + META_LENGTH)
    .map((at) => file.subarray(at + PAGE_HEADER))
    .filter(
      (meta) => meta.readUInt32LE(0) === MAGIC && fnv1a(meta.subarray(0, META_LENGTH - 8)) === meta.readBigUInt64LE(56),
    )
    .sort((a, b) => (a.readBigUInt64LE(48) < b.readBigUInt64LE(48) ? 1 : -1));
  const [newest] = found;
  if (newest === undefined) throw new Error("no meta page is whole");
  return { pageSize: newest.readUInt32LE(8), root: Number(newest.readBigUInt64LE(16)) };
}

const META_LENGTH = 64;

/** Bolt's checksum of a meta page. */
function fnv1a(bytes: Uint8Array): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash;
}

class Pages {
  readonly #file: Buffer;
  readonly #size: number;
  readonly #seen = new Set<number>();

  constructor(file: Buffer, size: number) {
    if (size < 512) throw new Error(`pages of ${size} bytes`);
    this.#file = file;
    this.#size = size;
  }

  /** Everything below a page. */
  *leaves(page: number): Generator<Leaf> {
    if (this.#seen.has(page)) throw new Error("the tree is none");
    this.#seen.add(page);
    const start = page * this.#size;
    if (this.#file.length < start + PAGE_HEADER) throw new Error(`there is no page ${page}`);
    yield* this.leavesOf(this.#file.subarray(start));
  }

  /** @param page from its header on; what its elements point to follows */
  *leavesOf(page: Buffer): Generator<Leaf> {
    const [flags, count] = [page.readUInt16LE(8), page.readUInt16LE(10)];
    for (let i = 0; i < count; i++) {
      const at = PAGE_HEADER + 16 * i;
      if (flags & BRANCH) yield* this.leaves(Number(page.readBigUInt64LE(at + 8)));
      else if (flags & LEAF) yield leafAt(page, at);
      else throw new Error(`a page of the kind ${flags}`);
    }
  }
}

function leafAt(page: Buffer, at: number): Leaf {
  const key = at + page.readUInt32LE(at + 4);
  const value = key + page.readUInt32LE(at + 8);
  const end = value + page.readUInt32LE(at + 12);
  if (end > page.length) throw new Error("an element ends behind the file");
  return {
    key: page.toString("utf8", key, value),
    value: page.subarray(value, end),
    isBucket: (page.readUInt32LE(at) & IS_BUCKET) !== 0,
  };
}

/** A small bucket is within its own value, behind the number of no page. */
function bucketEntries(tree: Pages, header: Buffer): [string, Buffer][] {
  const root = Number(header.readBigUInt64LE(0));
  const leaves = root === 0 ? tree.leavesOf(header.subarray(16)) : tree.leaves(root);
  return [...leaves].filter(({ isBucket }) => !isBucket).map(({ key, value }) => [key, value]);
}
