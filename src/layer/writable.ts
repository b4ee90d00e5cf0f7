import type { ChainID } from "../digest/chain-id.ts";
import { randomID } from "../digest/random-id.ts";
import { asVarveError, VarveError } from "../errors.ts";
import { mountPointsBelow } from "../sys/mount.ts";
import { collect, discard, messageOf } from "./collect.ts";
import type { ReleasedLayer } from "./layer.ts";
import type { MountEntry } from "./layer-table.ts";
import type { MountRecord, MountRemoval } from "./metadata.ts";
import { noMount } from "./rw-layer.ts";
import { HeldParent, lookAgain, type StoreContext } from "./store-context.ts";

export interface CreateRWOptions {
  /** The stack to stand on; without it an empty one. */
  readonly parent?: ChainID | undefined;
  /** Prepares the writable layer itself, after the init layer. */
  readonly fill?: ((mountedPath: string) => void | Promise<void>) | undefined;
  /** Makes in the visible step, just before the record appears, what belongs to it; its failure fails everything. */
  readonly beside?: (() => void) | undefined;
  /** Fills an init layer under the writable one; without it there is none. See `populateInitLayer`. */
  readonly init?: ((mountedPath: string) => void | Promise<void>) | undefined;
}

/** The life of a writable layer (FORMATS 2.7), from its announcement to the record; taken back whole when it fails. */
export async function createWritable(
  context: StoreContext,
  name: string,
  { parent, init, fill, beside }: CreateRWOptions,
): Promise<MountEntry> {
  checkName(context, name);
  using below = new HeldParent(context, parent);
  const mountID = randomID();
  const record = { mountID, initID: init === undefined ? undefined : `${mountID}-init`, parent };
  let published = false;
  try {
    const transaction = await context.metadata.beginMount(record);
    try {
      if (init !== undefined) await createTree(context, record.initID as string, below.tree, init);
      await createTree(context, mountID, record.initID ?? below.tree, fill);
      return await context.commit(async () => {
        lookAgain(context, [parent]);
        below.checkPresent();
        beside?.();
        await transaction.commit(name);
        published = true;
        return context.table.addMount(name, record);
      });
    } finally {
      if (!published) await discard(context, transaction, treesOf(record));
    }
  } catch (error) {
    throw asVarveError(error);
  }
}

function checkName({ table }: StoreContext, name: string): void {
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
    throw new VarveError("invalid-argument", `not a name for a writable layer: ${JSON.stringify(name)}`, { name });
  if (table.mounts.has(name)) throw new VarveError("already-exists", "mount already exists with name", { name });
}

async function createTree(
  { driver }: StoreContext,
  id: string,
  parent: string | undefined,
  fill: CreateRWOptions["fill"],
): Promise<void> {
  await driver.createReadWrite(id, parent);
  if (fill === undefined) return;
  const path = await driver.get(id);
  try {
    await fill(path);
  } finally {
    await driver.put(id);
  }
}

export interface ReleaseRWOptions {
  /** Asked in the visible step; what it throws keeps the layer. */
  readonly check?: (() => void) | undefined;
}

/**
 * Deletes a writable layer: its record in a visible step, then its trees. When the container's own tree resists, the
 * record comes back; what remains of the rest is left to a later cleanup. At last the layers below go, as far as nobody
 * else refers to them.
 */
export async function releaseWritable(
  context: StoreContext,
  name: string,
  { check }: ReleaseRWOptions,
): Promise<ReleasedLayer[]> {
  const { parent } = knownMount(context, name);
  await remove(context, name, check);
  return parent === undefined ? [] : collect(context, parent);
}

async function remove(context: StoreContext, name: string, check: ReleaseRWOptions["check"]): Promise<void> {
  const { table, metadata, driver, commit } = context;
  using _below = new HeldParent(context, knownMount(context, name).parent?.chainID); // should the record come back
  const aside: { removal: MountRemoval; record: MountRecord }[] = [];
  try {
    await commit(async () => {
      table.refresh();
      check?.();
      const entry = knownMount(context, name);
      if (isMounted(context, entry)) throw new VarveError("in-use", "mount still active", { name });
      aside.push({ removal: await metadata.setMountAside(name), record: entry.record });
      table.dropMount(entry);
    });
    for (const { record } of aside) await driver.remove(record.mountID);
  } catch (error) {
    for (const { removal } of aside) await putBack(context, removal);
    throw asVarveError(error);
  }
  for (const { removal, record } of aside) await finish(context, removal, record);
}

async function putBack({ commit, table, warn }: StoreContext, removal: MountRemoval): Promise<void> {
  using _lock = removal;
  try {
    await commit(async () => {
      await removal.undo();
      table.refresh();
    });
  } catch (error) {
    warn(`the record of a writable layer could not be put back: ${messageOf(error)}`);
  }
}

async function finish({ driver, warn }: StoreContext, removal: MountRemoval, record: MountRecord): Promise<void> {
  using _lock = removal;
  try {
    if (record.initID !== undefined) await driver.remove(record.initID);
    await removal.finish();
  } catch (error) {
    warn(`what remains of ${record.mountID} is left for a later cleanup: ${messageOf(error)}`);
  }
}

/** @throws VarveError `not-found` */
export function knownMount({ table }: StoreContext, name: string): MountEntry {
  const entry = table.mounts.get(name);
  if (entry === undefined) throw noMount(name);
  return entry;
}

/** By us, or by another process, which may have ended. */
function isMounted({ driver }: StoreContext, { mountCount, record }: MountEntry): boolean {
  return mountCount > 0 || mountPointsBelow(driver.home).some((point) => point.split("/").includes(record.mountID));
}

/** Top first. */
function treesOf({ mountID, initID }: MountRecord): string[] {
  return initID === undefined ? [mountID] : [mountID, initID];
}
