import { unlinkSync } from "node:fs";
import { errnoOf } from "../errors.ts";

/** Removes a file; one that is gone already is fine. Unlike `fs.rmSync` of Node 24 it says which system call failed, and why. */
export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}
