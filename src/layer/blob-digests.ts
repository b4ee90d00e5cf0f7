import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { DiffID } from "../digest/chain-id.ts";
import { type Digest, hexOf } from "../digest/digest.ts";
import { asVarveError, isVarveError } from "../errors.ts";
import { replaceFile } from "../io/atomic-file.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { field, type GoStructType, goList, goString, goStruct } from "../json/go-type.ts";
import { formatGo } from "../json/go-value.ts";
import { parseJson } from "../json/json.ts";

/** A compressed blob that a layer once came as or went as. */
export interface KnownBlob {
  readonly digest: Digest;
  /** The full name of the repository that has it; empty when nobody knows. */
  readonly sourceRepository: string;
}

/**
 * Notes that a layer is known under the digest of a compressed blob, too (FORMATS 5): so that a pull need not fetch it again,
 * nor a push send it. Losing these notes is harmless, and what cannot be read of them is written anew.
 *
 * @param directory `<root>/image/<driver>/distribution`
 */
export function noteBlob(
  directory: string,
  diffID: DiffID,
  { digest, sourceRepository }: KnownBlob,
  { sync }: { readonly sync: boolean },
): void {
  const list = join(directory, "v2metadata-by-diffid", "sha256", hexOf(diffID));
  const entry: Entry = { digest, sourceRepository, hmac: "" };
  const others = read(list).filter((known) => JSON.stringify(known) !== JSON.stringify(entry));
  write(list, formatGo(entriesType.write([...others, entry].slice(-MOST))), sync);
  write(join(directory, "diffid-by-digest", ...digest.split(":")), diffID, sync);
}

interface Entry {
  readonly digest: string;
  readonly sourceRepository: string;
  readonly hmac: string;
}

const entryType: GoStructType<Entry> = goStruct<Entry>("V2Metadata", {
  digest: field("Digest", goString),
  sourceRepository: field("SourceRepository", goString),
  hmac: field("HMAC", goString),
});
const entriesType = goList(entryType);

function read(path: string): readonly Entry[] {
  try {
    const bytes = readWholeFile(path, MAX_SIZE);
    return bytes === undefined ? [] : (entriesType.read(parseJson(bytes), null, "") ?? []);
  } catch (error) {
    if (isVarveError(error, "invalid-archive") || isVarveError(error, "too-large")) return [];
    throw error;
  }
}

function write(path: string, content: Uint8Array | string, sync: boolean): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  } catch (error) {
    throw asVarveError(error);
  }
  replaceFile(path, content, { mode: 0o644, sync });
}

/** Docker keeps no more of a layer. */
const MOST = 50;
const MAX_SIZE = 1 << 20;
