import { errnoOf } from "../../errors.ts";
import type { Identity } from "../../fstree/id-map.ts";
import { changeModeAt, changeOwnerAt, closeFile, makeDirectoryAt } from "../../sys/at.ts";
import { type ByteString, fromText } from "../../sys/byte-string.ts";
import { statFile } from "../../sys/stat.ts";
import { cleanName, TreeRoot } from "../../sys/tree-root.ts";
import { refused } from "./refusal.ts";

/**
 * Makes a container's working directory with its parents, each 0755, resolved inside the container. What is there already
 * stays as it is.
 *
 * @throws VarveError `invalid-argument` with Docker's text when something else is there
 */
export function makeWorkingDirectory(container: string, directory: string, owner: Identity): void {
  if (directory === "") return;
  using root = new TreeRoot(container);
  const path = cleanName(fromText(directory));
  const components = path.split("/");
  try {
    for (let depth = 1; depth <= components.length; depth++)
      makeDirectory(root, components.slice(0, depth).join("/") as ByteString, owner);
    if (isDirectory(root, path)) return;
  } catch (error) {
    if (errnoOf(error) !== "ENOTDIR") throw error;
  }
  throw refused(`Cannot mkdir: ${directory} is not a directory`);
}

function isDirectory(root: TreeRoot, path: ByteString): boolean {
  const place = root.openPlace(path);
  try {
    return statFile(place).kind === "directory";
  } finally {
    closeFile(place);
  }
}

function makeDirectory(root: TreeRoot, path: ByteString, owner: Identity): void {
  const { dir, base } = root.parentOf(path);
  try {
    makeDirectoryAt(dir, base, 0o755);
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return;
    throw error;
  }
  changeOwnerAt(dir, base, owner.uid, owner.gid);
  changeModeAt(dir, base, 0o755);
}
