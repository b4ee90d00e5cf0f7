import { closeSync, readFileSync } from "node:fs";
import { asVarveError, VarveError } from "../errors.ts";
import { type ByteString, fromText } from "../sys/byte-string.ts";
import { statFile } from "../sys/stat.ts";
import { TreeRoot } from "../sys/tree-root.ts";

/**
 * The names of users and groups that Docker 20.10 writes into the tars that it makes (FORMATS 8.7). They have no effect
 * anywhere; they are there for the bytes.
 */
export class Accounts {
  readonly #users: ReadonlyMap<number, ByteString>;
  readonly #groups: ReadonlyMap<number, ByteString>;

  private constructor(users: ReadonlyMap<number, ByteString>, groups: ReadonlyMap<number, ByteString>) {
    this.#users = users;
    this.#groups = groups;
  }

  /** The accounts of this machine, for the tar of a layer. */
  static ofHost(): Accounts {
    using root = new TreeRoot("/");
    return new Accounts(parseNames(readText(root, PASSWD)), parseNames(readText(root, GROUP)));
  }

  /**
   * The accounts that a tree keeps of its own, for `docker export` and `docker cp`, where Docker looks them up inside the
   * container; all but the name of its own user, which it has known since before it went in.
   */
  static ofTree(root: TreeRoot): Accounts {
    const users = parseNames(readText(root, PASSWD));
    const self = process.geteuid!();
    const ownName = Accounts.ofHost().userName(self);
    if (ownName !== "") users.set(self, ownName);
    return new Accounts(users, parseNames(readText(root, GROUP)));
  }

  /** Empty for nobody that is known. */
  userName(uid: number): ByteString {
    return this.#users.get(uid) ?? NONE;
  }

  groupName(gid: number): ByteString {
    return this.#groups.get(gid) ?? NONE;
  }
}

const NONE = "" as ByteString;
const PASSWD = fromText("etc/passwd");
const GROUP = fromText("etc/group");
const MAX_SIZE = 16 << 20;

/** Nothing for a file that is not there, is none, or is too large to be one: a tree may hold anything under these names. */
function readText(root: TreeRoot, name: ByteString): string {
  let fd: number;
  try {
    fd = root.openFile(name);
  } catch (error) {
    if (error instanceof VarveError) return "";
    throw error;
  }
  try {
    return statFile(fd).size > MAX_SIZE ? "" : readFileSync(fd, "latin1");
  } catch (error) {
    throw asVarveError(error);
  } finally {
    closeSync(fd);
  }
}

/** Both files have the name first and its number third; of two names for a number the first one counts. */
function parseNames(text: string): Map<number, ByteString> {
  const names = new Map<number, ByteString>();
  for (const line of text.split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    if (name === "" || !/^\d{1,10}$/.test(id) || names.has(Number(id))) continue;
    names.set(Number(id), name as ByteString);
  }
  return names;
}
