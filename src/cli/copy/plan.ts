/**
 * Where a copy ends up, by the rules of `docker cp`, which are those of `cp -r`: into a directory that is there, else
 * under the name that was given. `plan.ts` decides, `copy-out.ts` and `copy-in.ts` carry it out in the two directions.
 */
import { VarveError } from "../../errors.ts";

export interface CopySource {
  readonly isDirectory: boolean;
  /** Its last name. */
  readonly name: string;
  /** The path ended in `/.`: what is in the directory is meant, not the directory. */
  readonly isContent: boolean;
}

export interface CopyDestination {
  /** Absolute and clean. */
  readonly path: string;
  /** Undefined where nothing is. */
  readonly kind: "directory" | "other" | undefined;
  /** The path ended in `/` or `/.`. */
  readonly mustBeDirectory: boolean;
}

export interface CopyPlan {
  /** A directory that has to be there. */
  readonly directory: string;
  /** The name in it; undefined for what is in the source, straight into the directory. */
  readonly name: string | undefined;
}

/** @throws VarveError `conflict` */
export function planCopy(source: CopySource, { path, kind, mustBeDirectory }: CopyDestination): CopyPlan {
  if (kind === "directory") return { directory: path, name: source.isContent ? undefined : source.name };
  if (source.isDirectory && kind === "other") throw refusal(`cannot copy a directory over the file ${path}`, path);
  if (!source.isDirectory && mustBeDirectory) throw refusal(`${path}: no such directory`, path);
  const slash = path.lastIndexOf("/");
  return { directory: path.slice(0, slash) || "/", name: path.slice(slash + 1) };
}

export function assertsDirectory(path: string): boolean {
  return /(^|\/)\.?$/.test(path);
}

export function meansContent(path: string): boolean {
  return /(^|\/)\.$/.test(path);
}

function refusal(message: string, path: string): VarveError {
  return new VarveError("conflict", message, { path });
}
