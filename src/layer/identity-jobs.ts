import { closeSync, openSync, rmSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { DiffID } from "../digest/chain-id.ts";
import { Digester } from "../digest/digest.ts";
import type { Driver } from "../driver/driver.ts";
import { openDriver } from "../driver/select.ts";
import { asVarveError, isVarveError, type VarveError } from "../errors.ts";
import { IdMap, type IdRanges } from "../fstree/id-map.ts";
import { type ByteSource, fileSource } from "../io/byte-source.ts";
import type { Task } from "../pool/pool.ts";
import { toWire, type WireError } from "../pool/wire.ts";
import { syncFile } from "../sys/sync.ts";
import { assemble, readSplit } from "../tar/assemble.ts";
import { Disassembler } from "../tar/disassemble.ts";
import { parseSplitLine, type SplitEntry } from "../tar/split.ts";
import { SplitFile } from "./split-file.ts";

/** A tree that the driver has and no record names. */
export interface StrayTree {
  readonly cacheID: string;
  /** The tree below it. */
  readonly parent: string | undefined;
  /** The tar-split that was kept when the tree was made, if it was. */
  readonly split: string | undefined;
  /** Where a tar-split of the tree as it is now goes, if it takes one. What has the name is replaced. */
  readonly newSplit: string;
}

/** Which layer a tree is. */
export interface TreeIdentity {
  readonly diffID: DiffID;
  /** Bytes of its files (FORMATS 2.3). */
  readonly size: number;
  /** Bytes of its tar. */
  readonly length: number;
  /** Whether the tar-split that was kept fits the files. If not, there is a new one of them as they are now. */
  readonly isOriginal: boolean;
  /** Why the one that was kept does not fit. */
  readonly reason: string | undefined;
}

/** A driver as plain data, which any thread can open for reading. */
export interface DriverPlan {
  readonly root: string;
  readonly name: string;
  readonly idRanges: IdRanges | undefined;
}

/** What became of one tree of a job. */
export type Identified = { readonly identity: TreeIdentity } | { readonly failure: WireError };

/** What workers do for trees that come without a record. */
export const identityJobs = {
  /** Several trees, so that the worker has something to do while the main thread is busy with what it found. */
  async identify(
    { trees, plan }: { trees: readonly StrayTree[]; plan: DriverPlan },
    task: Task,
  ): Promise<Identified[]> {
    const driver = await openReader(plan);
    const identified: Identified[] = [];
    for (const tree of trees)
      try {
        identified.push({ identity: await identifyTree(tree, driver, () => task.throwIfCancelled()) });
      } catch (error) {
        identified.push({ failure: toWire(refusalOf(error)) });
      }
    return identified;
  },
};

/** A driver for trees that nobody changes while they are read: the same tree gives the same layer each time. */
export async function openReader({ root, name, idRanges }: DriverPlan): Promise<Driver> {
  const idMap = idRanges && new IdMap(idRanges.uids, idRanges.gids);
  return await openDriver(root, { name, idMap, durability: "none", readOnly: true });
}

/** What is wrong with one tree. @throws what stops everything */
export function refusalOf(error: unknown): VarveError {
  const coded = asVarveError(error);
  if (!isVarveError(coded) || isVarveError(coded, "cancelled") || isVarveError(coded, "no-space")) throw coded;
  return coded;
}

/**
 * Reads a tree through and says which layer it is (FORMATS 11.4): the one that its tar-split was kept of, if that and the
 * files go together; else a new one of what it adds to its parent.
 *
 * @param check is asked now and then, and may throw to end it
 * @throws VarveError `not-found` when there is no such tree; what is wrong with the tar-split is no error but the `reason`
 */
export async function identifyTree(tree: StrayTree, driver: Driver, check: () => void): Promise<TreeIdentity> {
  if (tree.split === undefined)
    return { ...(await newLayer(tree, driver, check)), isOriginal: false, reason: undefined };
  try {
    const found = await original(tree.split, tree.cacheID, driver, check);
    return { ...found, isOriginal: true, reason: undefined };
  } catch (error) {
    const coded = asVarveError(error);
    if (!isVarveError(coded) || !tellsOfOtherFiles(coded)) throw coded;
    return { ...(await newLayer(tree, driver, check)), isOriginal: false, reason: coded.message };
  }
}

type Found = Pick<TreeIdentity, "diffID" | "size" | "length">;

async function original(split: string, cacheID: string, driver: Driver, check: () => void): Promise<Found> {
  const content = await driver.content(cacheID);
  let size = 0;
  const counted = async function* (): AsyncGenerator<readonly SplitEntry[]> {
    for await (const batch of readSplit(fileSource(split))) {
      for (const entry of batch) if (entry.kind === "file") size += entry.size;
      yield batch;
    }
  };
  try {
    const { diffID, length } = await digestOf(assemble(counted(), content), check);
    return { diffID, length, size };
  } finally {
    content.close();
  }
}

async function newLayer({ cacheID, parent, newSplit }: StrayTree, driver: Driver, check: () => void): Promise<Found> {
  const tar = await driver.diff(cacheID, parent);
  // Not written over: the name may lead to a tar-split that is also kept under another one.
  rmSync(newSplit, { force: true });
  const fd = openSync(newSplit, "wx", 0o600);
  const split = new SplitFile(fd);
  let size = 0;
  const line = (text: string): void => {
    const entry = text.startsWith(FILE_LINE) ? parseSplitLine(text) : undefined;
    if (entry?.kind === "file") size += entry.size;
    split.write(text);
  };
  try {
    const disassembler = new Disassembler({ line });
    const { diffID, length } = await digestOf(tar, check, async (chunk) => {
      disassembler.write(chunk);
      if (split.full) await split.drained();
    });
    disassembler.end();
    await split.end();
    syncFile(fd);
    return { diffID, length, size };
  } catch (error) {
    await split.abort();
    throw error;
  } finally {
    closeSync(fd);
  }
}

async function digestOf(
  tar: ByteSource,
  check: () => void,
  alsoTo: (chunk: Uint8Array) => Promise<void> = async () => {},
): Promise<{ readonly diffID: DiffID; readonly length: number }> {
  const digester = new Digester();
  let length = 0;
  for await (const chunk of tar) {
    check();
    digester.update(chunk);
    await alsoTo(chunk);
    length += chunk.length;
    if (length % BREATH < chunk.length) await setImmediate();
  }
  return { diffID: digester.digest(), length };
}

const FILE_LINE = '{"type":1,';

/** Bytes after which the event loop gets its turn. */
const BREATH = 4 << 20;

/** And not of a disk that cannot be read, or of a machine that has no more memory or descriptors. */
function tellsOfOtherFiles({ code, details }: VarveError): boolean {
  if (code === "corrupt") return true;
  return details.errno !== undefined && OTHER_FILES.has(details.errno as string);
}

/** The file is not there, or something else has its name. */
const OTHER_FILES: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "EISDIR", "ELOOP", "EINVAL"]);
