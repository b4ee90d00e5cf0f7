import { resolve } from "node:path";
import type { ByteSource } from "../io/byte-source.ts";
import type { ByteString } from "../sys/byte-string.ts";
import { archiveOf } from "./file-view.ts";
import { MountedFiles } from "./mounted-files.ts";

/** A tar of what a directory of this machine holds. @throws VarveError `not-found`, `permission` */
export async function* packDirectory(path: string): ByteSource {
  await using files = new MountedFiles({ path: resolve(path), close: () => undefined }, undefined);
  yield* archiveOf(files, "/" as ByteString);
}
