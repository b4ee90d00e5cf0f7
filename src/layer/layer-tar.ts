import { Digester } from "../digest/digest.ts";
import type { Driver } from "../driver/driver.ts";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import { type ByteSource, throwIfCancelled } from "../io/byte-source.ts";
import { assemble, readSplit } from "../tar/assemble.ts";
import type { LayerInfo } from "./layer.ts";
import type { LayerMetadata } from "./metadata.ts";
import { vanished } from "./store-context.ts";

/**
 * The exact tar of a layer (FORMATS 2.8): what the tar-split kept, with the files out of the driver's tree between. Each
 * file is verified by its CRC and the whole by its DiffID, so what is not what was registered ends in an error, if only
 * after its bytes were given out.
 */
export async function* layerTar(
  layer: LayerInfo,
  from: { readonly driver: Driver; readonly metadata: LayerMetadata },
  signal?: AbortSignal,
): ByteSource {
  const { diffID, chainID, cacheID } = layer;
  try {
    const digester = new Digester();
    const content = await from.driver.content(cacheID);
    try {
      for await (const chunk of assemble(readSplit(from.metadata.splitStream(chainID)), content)) {
        throwIfCancelled(signal);
        digester.update(chunk);
        yield chunk;
      }
    } finally {
      content.close();
    }
    if (digester.digest() !== diffID)
      throw new VarveError(
        "corrupt",
        `could not verify layer data for: ${diffID}. This may be because internal files in the layer store were modified. ` +
          "Re-pulling or rebuilding this image may resolve the issue",
        { chainID, diffID, cacheID },
      );
  } catch (error) {
    const coded = asVarveError(error);
    if (!isVarveError(coded, "not-found") || from.metadata.layerStamp(chainID) !== undefined) throw coded;
    throw vanished(chainID, coded);
  }
}
