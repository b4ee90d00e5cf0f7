import { VarveError } from "../errors.ts";
import { type ByteString, toText } from "../sys/byte-string.ts";

/** What an archive holds under a name. */
export type Member = FileMember | DirectoryMember | SymlinkMember | SpecialMember;

export interface FileMember {
  readonly kind: "file";
  /** Where the content lies in the archive. */
  readonly offset: number;
  readonly size: number;
}

export interface DirectoryMember {
  readonly kind: "directory";
  readonly entries: Map<ByteString, Member>;
}

export interface SymlinkMember {
  readonly kind: "symlink";
  readonly target: ByteString;
}

/** Something that has a name and no content that we would read. */
export interface SpecialMember {
  readonly kind: "special";
  /** For a message: `a fifo`. */
  readonly what: string;
}

/**
 * The members of an archive as they would lie in a directory into which the whole of it was unpacked (FORMATS 8.3,
 * 10.4): a later member replaces an earlier one, links lead where they would lead in there and never out of it.
 */
export class MemberTree {
  readonly root: DirectoryMember = { kind: "directory", entries: new Map() };
  readonly #limit: number;
  #count = 0;

  /** @param limit how many members there may be, directories that are only implied counted */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @throws VarveError `invalid-argument`, `too-large` */
  add(name: ByteString, member: Member): void {
    const length = name.length + (member.kind === "symlink" ? member.target.length : 0);
    if (length > MAX_NAME) throw invalidMember(name, "is not possible: file name too long");
    const components = componentsOf(name);
    const base = components.pop();
    if (base === undefined) return;
    const parent = this.#walk(components, name, "make");
    if (parent?.kind !== "directory") throw notADirectory(name);
    if (member.kind === "directory" && parent.entries.get(base)?.kind === "directory") return;
    // Long names count for more, since they are held in memory.
    this.#charge(1 + Math.floor(length / NAME));
    parent.entries.set(base, member);
  }

  /** A hard link: the very member that has the name `target`. */
  link(name: ByteString, target: ByteString): void {
    const components = componentsOf(target);
    const base = components.pop();
    const parent = this.#walk(components, target, "find");
    const member = base !== undefined && parent?.kind === "directory" ? parent.entries.get(base) : undefined;
    if (member === undefined || member.kind === "directory")
      throw invalidMember(name, `is a link to "${toText(target)}", which is not in the archive before it`);
    this.add(name, member);
  }

  /** What the path leads to, links followed; `undefined` when nothing is there. */
  find(path: ByteString): Member | undefined {
    return this.#walk(componentsOf(path), path, "find");
  }

  /** Follows links everywhere, also in the last component, and stays below the root. */
  #walk(components: readonly ByteString[], path: ByteString, missing: "find" | "make"): Member | undefined {
    const way: DirectoryMember[] = [this.root];
    const todo = [...components].reverse();
    for (let links = 0; ; ) {
      const component = todo.pop();
      const here = way.at(-1)!;
      if (component === undefined) return here;
      if (component === "..") {
        if (way.length > 1) way.pop();
        continue;
      }
      let member = here.entries.get(component);
      if (member === undefined && missing === "make") {
        this.#charge();
        member = { kind: "directory", entries: new Map() };
        here.entries.set(component, member);
      }
      if (member === undefined) return undefined;
      if (member.kind === "directory") way.push(member);
      else if (member.kind === "symlink") {
        if (++links > MAX_LINKS) throw invalidMember(path, "leads through too many links");
        if (member.target.startsWith("/")) way.length = 1;
        todo.push(...splitPath(member.target).reverse());
      } else if (todo.length > 0) {
        if (missing === "make") throw notADirectory(path);
        return undefined;
      } else return member;
    }
  }

  #charge(members = 1): void {
    this.#count += members;
    if (this.#count > this.#limit)
      throw new VarveError("too-large", `the archive has more than ${this.#limit} members`, { limit: this.#limit });
  }
}

/** The longest name and the longest target that a kernel takes, together. */
const MAX_NAME = 2 * 4096;
/** A name that is not longer counts for nothing. */
const NAME = 256;

/** As many as Docker follows. */
const MAX_LINKS = 255;

/** An `invalid-archive` error about one member. */
export function invalidMember(path: ByteString, what: string): VarveError {
  return new VarveError("invalid-archive", `invalid archive: "${toText(path)}" ${what}`, { path: toText(path) });
}

function notADirectory(path: ByteString): VarveError {
  return invalidMember(path, "lies below something that is not a directory");
}

/** `..` is taken off the name before links are looked at, as Docker cleans every name first. */
function componentsOf(name: ByteString): ByteString[] {
  const clean: ByteString[] = [];
  for (const component of splitPath(name)) {
    if (component === "..") clean.pop();
    else clean.push(component);
  }
  return clean;
}

function splitPath(path: ByteString): ByteString[] {
  return path.split("/").filter((component) => component !== "" && component !== ".") as ByteString[];
}
