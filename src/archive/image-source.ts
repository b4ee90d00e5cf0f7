import { VarveError } from "../errors.ts";
import type { ImageSource, SourceImage } from "./archive.ts";
import { readDockerArchive } from "./docker-archive.ts";
import { Documents } from "./documents.ts";
import { readLegacyArchive } from "./legacy-archive.ts";
import { readOciLayout } from "./oci-layout.ts";
import { type ArchiveInput, type OpenOptions, openArchive } from "./open-archive.ts";
import { hostPlatform, type Platform } from "./platform.ts";

export interface SourceOptions extends OpenOptions {
  /** Which image to take where an OCI layout has one for several platforms; ours if absent. */
  readonly platform?: Platform | undefined;
}

/**
 * Opens an archive of any kind and checks all that can be known of its images without reading a layer.
 *
 * @throws VarveError `invalid-archive`, `invalid-reference`, `unsupported`, `not-found`, `too-large`, `cancelled`
 */
export async function openImageSource(input: ArchiveInput, options: SourceOptions): Promise<ImageSource> {
  const files = await openArchive(input, options);
  try {
    const documents = new Documents(files, options.limits, options.signal);
    const images = await readImages(documents, options.platform ?? hostPlatform());
    return { images, [Symbol.asyncDispose]: async () => files[Symbol.dispose]() };
  } catch (error) {
    files[Symbol.dispose]();
    throw error;
  }
}

/** By what is there: newer archives carry what older Dockers need beside it. */
async function readImages(documents: Documents, platform: Platform): Promise<SourceImage[]> {
  const manifest = await documents.find("manifest.json");
  if (manifest !== undefined) return await readDockerArchive(documents, manifest);
  const index = await documents.find("index.json");
  if (index !== undefined) return await readOciLayout(documents, index, platform);
  const repositories = await documents.find("repositories");
  if (repositories !== undefined) return await readLegacyArchive(documents, repositories);
  throw new VarveError(
    "invalid-archive",
    "invalid archive: does not contain a manifest.json, nor an index.json or repositories",
  );
}
