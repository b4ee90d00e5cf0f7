import type { View } from "../driver/driver.ts";
import { treeDiff } from "../fstree/diff.ts";
import type { IdMap } from "../fstree/id-map.ts";
import type { PackOptions } from "../fstree/pack.ts";
import { type ByteSource, throwIfCancelled } from "../io/byte-source.ts";
import { toText } from "../sys/byte-string.ts";

export interface ExportOptions {
  /** How the tree's owners become the container's. */
  readonly idMap?: IdMap | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told what could not be packed and was left out. */
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * A tar of a container's whole file system as it would see it (FORMATS 12.3). The tree is looked at, not mounted for others.
 *
 * @param layer whose tree it is
 * @throws VarveError `permission` where a mount would be needed and we may not, `cancelled`
 */
export async function* exportContainer(layer: { view(): Promise<View> }, options: ExportOptions = {}): ByteSource {
  const { idMap, signal, onWarning } = options;
  const view = await layer.view();
  try {
    const onSkip: PackOptions["onSkip"] = (path, reason) =>
      onWarning?.(`"${toText(path)}" was left out: ${reason.message}`);
    for await (const chunk of treeDiff(view.path, { overlay: false, accounts: "tree", idMap, onSkip })) {
      throwIfCancelled(signal);
      yield chunk;
    }
  } finally {
    view.close();
  }
}
