import type { DiffID } from "../digest/chain-id.ts";
import { type Algorithm, type Digest, Digester } from "../digest/digest.ts";
import { applierOf } from "../driver/directory-applier.ts";
import type { ApplyPlan, DiffApplier } from "../driver/driver.ts";
import { VarveError } from "../errors.ts";
import { decompress } from "../io/compression.ts";
import type { Task } from "../pool/pool.ts";
import { SplitFile } from "./split-file.ts";
import { type FileRange, readInPlace, scan } from "./stored-tar.ts";
import { takeApart, unpack } from "./unpack.ts";

export interface UnpackInput {
  readonly range: FileRange;
  readonly compressed: boolean;
  readonly limit: number;
  readonly plan: ApplyPlan;
  /** An open file for the gzip'ed tar-split. */
  readonly split: number;
  /** Whether the DiffID is wanted as well; it may be told by another job at the same time. */
  readonly hash: boolean;
}

export interface UnpackOutput {
  readonly size: number;
  readonly diffID: DiffID | undefined;
}

/** What the workers of the layer store do. All of it is one pass over one part of a file. */
export const unpackJobs = {
  /** Takes a layer's tar apart into its tree and its tar-split, both closed afterwards. Notes the bytes read. */
  async unpack(input: UnpackInput, task: Task): Promise<UnpackOutput> {
    const applier = applierOf(input.plan, {});
    const split = new SplitFile(input.split);
    let finishing = false;
    try {
      const diffID = await pass(input, { applier, split }, task);
      await split.end();
      finishing = true;
      return { diffID, size: await applier.finish() };
    } catch (error) {
      await split.abort();
      if (!finishing) await applier.abort();
      throw error;
    }
  },

  /** The digest of the bytes as they lie there. */
  async hash({ range, algorithm }: { range: FileRange; algorithm: Algorithm }, task: Task): Promise<Digest> {
    const digester = new Digester(algorithm);
    scan(range, (bytes) => {
      task.throwIfCancelled();
      digester.update(bytes);
    });
    return digester.digest();
  },
};

async function pass(
  { range, compressed, limit, hash }: UnpackInput,
  into: { readonly applier: DiffApplier; readonly split: SplitFile },
  task: Task,
): Promise<DiffID | undefined> {
  let noted = 0;
  const stored = readInPlace(range, (done) => {
    task.throwIfCancelled();
    if (done - noted < NOTE) return;
    task.note(done);
    noted = done;
  });
  if (!compressed && range.length > limit)
    throw new VarveError("too-large", `unpacks to more than ${limit} bytes`, { limit });
  const tar = compressed ? decompress(stored, { limits: { bytes: limit } }) : stored;
  const check = (): void => task.throwIfCancelled();
  if (hash) return await unpack(tar, into, check);
  await takeApart(tar, into, check);
  return undefined;
}

/** Bytes between two notes, each of which wakes the main thread. */
const NOTE = 4 << 20;
