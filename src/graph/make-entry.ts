import { join } from "node:path";
import type { Driver } from "../driver/driver.ts";
import { rootIdentity } from "../driver/home.ts";
import { abortable, type ByteSource } from "../io/byte-source.ts";
import { messageOf } from "../layer/collect.ts";
import { takeApart } from "../layer/unpack.ts";
import { removeTree } from "../sys/remove-tree.ts";
import { type GraphID, type GraphImage, readDescriptor } from "./descriptor.ts";
import { EntryDraft } from "./draft.ts";
import { TRANSACTIONS } from "./entry-files.ts";
import type { GraphContext } from "./graph-context.ts";

export interface GraphRegisterOptions {
  /** Written to the file `parent`, for an image whose JSON does not tell, or tells another. */
  readonly parent?: GraphID | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told after each chunk how many bytes of the layer were taken in. */
  readonly onBytes?: ((total: number) => void) | undefined;
}

/** How an image comes about (FORMATS 11.3): its tree, then its files, then one rename. A failure leaves nothing of it. */
export async function makeEntry(
  context: GraphContext,
  image: GraphImage,
  json: Uint8Array,
  layer: ByteSource,
  { parent, signal, onBytes }: GraphRegisterOptions,
): Promise<void> {
  const { files, driver, sync } = context;
  const { id } = image;
  const draft = new EntryDraft(files, id, { owner: rootIdentity(driver.idMap), sync });
  try {
    await driver.create(id, image.parent);
    const size = await unpack(driver, image, abortable(layer, signal), draft, onBytes);
    await draft.split.end();
    draft.write("layersize", String(size));
    draft.write("json", json);
    if (parent !== undefined && parent !== readDescriptor(id, json, undefined).parent) draft.write("parent", parent);
    draft.publish();
  } catch (error) {
    await takeBack(context, id, draft);
    throw error;
  }
}

/** Takes away whatever has an id that is to be made, though the graph knows no such image. */
export async function clearEntry({ files, driver }: GraphContext, id: GraphID): Promise<void> {
  removeTree(join(files.directory, id));
  await driver.remove(id);
  removeTree(join(files.directory, TRANSACTIONS, id));
}

async function unpack(
  driver: Driver,
  { id, parent }: GraphImage,
  layer: ByteSource,
  { split }: EntryDraft,
  onBytes: ((total: number) => void) | undefined,
): Promise<number> {
  const applier = await driver.applier(id, parent);
  try {
    await takeApart(layer, { applier, split }, onBytes);
  } catch (error) {
    await applier.abort();
    throw error;
  }
  return await applier.finish();
}

/** What resists is named by what stays in `_tmp`. */
async function takeBack({ driver, warn }: GraphContext, id: GraphID, draft: EntryDraft): Promise<void> {
  try {
    await driver.remove(id);
    await draft.cancel();
  } catch (error) {
    await draft.abandon();
    warn(`what was made of image ${id} is left for a later cleanup: ${messageOf(error)}`);
  }
}
