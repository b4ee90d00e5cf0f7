import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { VarveError } from "../errors.ts";
import { FileLock } from "../sys/lock.ts";

/**
 * One daemon a root. Commands may work beside it, but a second daemon would only hide from its users which of the two they
 * talk to. The claim is a lock on a file that says who holds it, so it ends with its process.
 *
 * @param path of that file, whose directory is there
 * @param holder what a second one is told
 * @returns gives the claim back when it is disposed of
 * @throws VarveError `locked`
 */
export function claimForDaemon(path: string, holder: string): Disposable {
  const lock = FileLock.tryAcquire(path, "exclusive");
  if (lock === undefined) {
    const other = readFileSync(path, "utf8").trim() || "another process";
    throw new VarveError("locked", `${other} already serves this data-root: use it with -H, or stop it first`, {
      path,
      holder: other,
    });
  }
  writeFileSync(path, `${holder}\n`);
  return {
    [Symbol.dispose]: () => {
      rmSync(path, { force: true });
      lock.release();
    },
  };
}
