import { readdirSync } from "node:fs";
import { asVarveError, errnoOf } from "../errors.ts";

/** What a directory holds, in no order; nothing when it is missing or is no directory. @throws VarveError */
export function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return [];
    throw asVarveError(error);
  }
}

/** The names of the directories in a directory; none when it is missing. @throws VarveError */
export function directoriesIn(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw asVarveError(error);
  }
}
