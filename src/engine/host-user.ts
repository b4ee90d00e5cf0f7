import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { errnoOf, VarveError } from "../errors.ts";
import type { Identity } from "../fstree/id-map.ts";

/**
 * A user of this machine, by name, or by number where the system's databases know numbers. That is where Docker looks for
 * the user of a container, too.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function hostUser(name: string): Identity {
  const line = lineOf(name, readPasswd()) ?? lineOf(undefined, askSystem(name));
  const [, uid, gid] = line ?? [];
  if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  throw new VarveError("invalid-argument", `getent unable to find entry "${name}" in passwd database`, { user: name });
}

/** The name and the numbers in the first line of this name, or in the first of all. */
function lineOf(name: string | undefined, passwd: string): string[] | undefined {
  const lines = passwd.split("\n").map((line) => line.split(":"));
  const found = lines.find(([first, , uid = "", gid = ""]) => {
    return (name === undefined || first === name) && /^\d+$/.test(uid) && /^\d+$/.test(gid);
  });
  return found && [found[0]!, found[2]!, found[3]!];
}

function readPasswd(): string {
  try {
    return readFileSync("/etc/passwd", "utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return "";
    throw error;
  }
}

/** Directories of users other than files. Without the program there are none. */
function askSystem(name: string): string {
  const result = spawnSync("getent", ["passwd", "--", name], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return result.status === 0 ? result.stdout : "";
}
