import type { ByteString } from "../sys/byte-string.ts";
import type { Fragment } from "./header.ts";
import { parseDecimal, parseNumeric } from "./numeric.ts";

/**
 * The four ways in which GNU tar tells where a sparse file holds data: in the header and blocks behind it (type `S`), in
 * PAX records (0.0, which the record parser turns into 0.1, and 0.1), and at the head of the payload (1.0). A map is
 * good when its fragments are in order, do not overlap and end within the file.
 */
export type SparseVersion = "0.1" | "1.0";

/** Which kind of map the PAX records announce; unknown versions are ordinary files to Go. */
export function sparseVersion(records: ReadonlyMap<string, ByteString>): SparseVersion | undefined {
  const major = records.get("GNU.sparse.major") ?? "";
  const minor = records.get("GNU.sparse.minor") ?? "";
  if (major === "0" && (minor === "0" || minor === "1")) return "0.1";
  if (major === "1" && minor === "0") return "1.0";
  return major === "" && minor === "" && (records.get("GNU.sparse.map") ?? "") !== "" ? "0.1" : undefined;
}

/** Where a map of type `S` sits in the header block, and in each block behind it. */
export const OLD_MAP = { inHeader: { at: 386, entries: 4 }, inExtension: { at: 0, entries: 21 } } as const;

/** Adds a block's entries to the map. Says whether another block of them follows; `undefined` if a number is no good. */
export function readOldMap(
  block: Buffer,
  { at, entries }: { readonly at: number; readonly entries: number },
  map: Fragment[],
): boolean | undefined {
  for (let i = 0; i < entries; i++) {
    const entry = at + 24 * i;
    if (block[entry] === 0) break;
    const offset = parseNumeric(block, entry, entry + 12);
    const length = parseNumeric(block, entry + 12, entry + 24);
    if (Number.isNaN(offset + length)) return undefined;
    map.push({ offset, length });
  }
  return block[at + 24 * entries] !== 0;
}

/** The map of format 0.1, or `undefined`. The records were read under a bound, so the map is under one too. */
export function readRecordMap(records: ReadonlyMap<string, ByteString>): Fragment[] | undefined {
  const count = parseDecimal(records.get("GNU.sparse.numblocks") ?? "");
  const text = records.get("GNU.sparse.map") ?? "";
  const numbers = text === "" ? [] : text.split(",").map(parseDecimal);
  if (numbers.length !== 2 * count || numbers.some(Number.isNaN)) return undefined;
  return pairUp(numbers);
}

/** Reads a map of format 1.0 block by block: lines of decimal numbers, first how many pairs there are. */
export class PayloadMapParser {
  readonly #limit: number;
  readonly #numbers: number[] = [];
  #count: number | undefined;
  #line = "";

  /** @param limit how many fragments are held in memory */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * The whole map once the block that ends it has come; `more` before; `invalid` and `too-long` for what is refused.
   * What else is in the last block is padding.
   */
  add(block: Buffer): readonly Fragment[] | "more" | "invalid" | "too-long" {
    const lines = (this.#line + block.toString("latin1")).split("\n");
    this.#line = lines.pop()!;
    for (const line of lines) {
      const number = parseDecimal(line);
      if (Number.isNaN(number)) return "invalid";
      if (this.#count === undefined) {
        if (number < 0) return "invalid";
        if (number > this.#limit) return "too-long";
        this.#count = number;
      } else this.#numbers.push(number);
      if (this.#numbers.length === 2 * this.#count) return pairUp(this.#numbers);
    }
    return this.#line.length > LONGEST_NUMBER ? "invalid" : "more";
  }
}

/** Any 64-bit number fits, with room for the leading zeros that someone might write. */
const LONGEST_NUMBER = 64;

/** Checks a map against the file's size and drops empty fragments; `undefined` if it is no good. */
export function checkMap(map: readonly Fragment[], size: number): Fragment[] | undefined {
  if (size < 0) return undefined;
  let end = 0;
  for (const { offset, length } of map) {
    if (offset < 0 || length < 0 || offset < end || offset + length > size) return undefined;
    end = offset + length;
  }
  return map.filter(({ length }) => length > 0);
}

function pairUp(numbers: readonly number[]): Fragment[] {
  const map: Fragment[] = [];
  for (let i = 0; i < numbers.length; i += 2) map.push({ offset: numbers[i]!, length: numbers[i + 1]! });
  return map;
}
