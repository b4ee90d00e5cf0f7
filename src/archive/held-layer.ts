import { isVarveError, VarveError } from "../errors.ts";
import type { Layer } from "../layer/layer.ts";

/** Runs `work` and then gives the layer back, which deletes it when `work` made nothing of it. */
export async function withLayer<T>(layer: Layer, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    throw await releaseAfter(error, layer);
  }
  await layer.release();
  return result;
}

/**
 * Gives back a layer that was only read. When its image was removed meanwhile it is deleted, if we may; where we may
 * not, whoever removed the image found our reference and left it to the next writer.
 */
export async function leaveLayer(layer: Layer): Promise<void> {
  try {
    await layer.release();
  } catch (error) {
    if (!isVarveError(error, "locked") && !isVarveError(error, "permission")) throw error;
  }
}

/** Gives a layer back after a failure. @returns what to throw: the failure, which also tells if the layer could not go */
export async function releaseAfter(error: unknown, layer: Layer | undefined): Promise<unknown> {
  try {
    await layer?.release();
    return error;
  } catch (releaseError) {
    if (!isVarveError(error)) return error;
    const left = releaseError instanceof Error ? releaseError.message : String(releaseError);
    const message = `${error.message} (and its layers could not be removed: ${left})`;
    return new VarveError(error.code, message, error.details, error);
  }
}
