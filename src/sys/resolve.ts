import { constants, statfsSync } from "node:fs";
import { closeFile, O_PATH, openAt, readLinkAt } from "./at.ts";
import type { ByteString } from "./byte-string.ts";
import { cString, errnoError, lastErrno, libc } from "./libc.ts";
import { kindAt } from "./stat.ts";

/**
 * How a path is kept inside a directory: by the kernel in one call (`openat2`, Linux 5.6), or one component at a time
 * with every directory on the way held open (`walk`), for older kernels and for sandboxes that block the call. Both
 * give the same answers.
 */
export type Resolver = "openat2" | "walk";

/**
 * Opens `name` as a process chrooted to `root` would, links followed to the last component. `flags` are those of
 * open(2), without the creating ones.
 */
export function openInside(resolver: Resolver, root: number, name: ByteString, flags: number): number {
  return resolver === "openat2" ? openByKernel(root, name, flags) : openByWalking(root, name, flags);
}

/** What this process may use. */
export function resolverOf(root: number): Resolver {
  if (available === undefined) {
    const fd = tryOpenat2(root, ".", O_PATH);
    // Any failure: a sandbox may answer ENOSYS, EPERM or what it likes.
    available = fd < 0 ? "walk" : "openat2";
    if (fd >= 0) closeFile(fd);
  }
  return available;
}

let available: Resolver | undefined;

const O_CLOEXEC = 0o2000000;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_IN_ROOT = 0x10;

const how = new BigUint64Array(3);
const howBytes = new Uint8Array(how.buffer);

function openByKernel(root: number, name: ByteString, flags: number): number {
  const path = cString(name === "" ? ("." as ByteString) : name, "openat2");
  for (let attempt = 0; attempt < RACES; attempt++) {
    const fd = tryOpenat2(root, path, flags);
    if (fd >= 0) return fd;
    const errno = lastErrno();
    if (errno !== "EAGAIN") throw errnoError(errno, "open", name);
  }
  return openByWalking(root, name, flags);
}

/** The kernel answers EAGAIN when any rename or mount on the machine coincides with a `..`. */
const RACES = 32;

function tryOpenat2(root: number, path: string | Buffer, flags: number): number {
  how[0] = BigInt(flags | O_CLOEXEC);
  how[2] = BigInt(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
  return libc().openat2(root, path, howBytes, howBytes.length);
}

/** The kernel's own limit on the links in one path. */
const MAX_LINKS = 40;
const PROC_SUPER_MAGIC = 0x9fa0;

function openByWalking(root: number, name: ByteString, flags: number): number {
  cString(name, "open");
  /** The directories from the root down to here, each held open, so that `..` needs no trust in the disk. */
  const way: number[] = [];
  const here = () => way.at(-1) ?? root;
  const goBackTo = (depth: number) => {
    while (way.length > depth) closeFile(way.pop() as number);
  };

  try {
    const todo = componentsOf(name).reverse();
    for (let links = 0; ; ) {
      const component = todo.pop();
      if (component === undefined) return openAt(here(), "." as ByteString, flags);
      if (component === ".") continue;
      if (component === "..") {
        goBackTo(Math.max(way.length - 1, 0));
        continue;
      }
      const kind = kindAt(here(), component);
      if (kind === undefined) throw errnoError("ENOENT", "open", name);
      if (kind === "symlink") {
        if (++links > MAX_LINKS || isMagic(here())) throw errnoError("ELOOP", "open", name);
        const target = readLinkAt(here(), component);
        if (target.startsWith("/")) goBackTo(0);
        todo.push(...componentsOf(target).reverse());
      } else if (todo.length === 0) return openAt(here(), component, flags);
      else if (kind === "directory") way.push(openAt(here(), component, O_PATH | constants.O_DIRECTORY));
      else throw errnoError("ENOTDIR", "open", name);
    }
  } finally {
    goBackTo(0);
  }
}

/** A final slash demands a directory, as a final `.` does. */
function componentsOf(path: ByteString): ByteString[] {
  const components = path.split("/").filter((component) => component !== "");
  if (path.endsWith("/")) components.push(".");
  return components as ByteString[];
}

/** A link in procfs may lead where its text does not say. */
function isMagic(dir: number): boolean {
  return statfsSync(`/proc/self/fd/${dir}`).type === PROC_SUPER_MAGIC;
}
