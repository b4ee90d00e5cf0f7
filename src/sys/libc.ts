import { createRequire } from "node:module";
import { codeOfErrno, VarveError } from "../errors.ts";
import { type ByteString, toText } from "./byte-string.ts";

/**
 * `sys/` is where Varve meets the kernel: calls relative to a directory descriptor (at.ts), stats, xattrs, times in
 * nanoseconds, names resolved inside a tree (tree-root.ts), removal of trees that nobody trusts (remove-tree.ts),
 * mounts, locks, copies, syncs, and sockets that Node does not know. `node:fs` does what it can do; the rest goes
 * through this file, the only one that knows koffi. The library is opened on the first call, so that code which only
 * parses never pays for it.
 *
 * Names are bytes (byte-string.ts). koffi would hand a JavaScript string to C as UTF-8, therefore every name passes
 * through `cString` first. All calls are synchronous; a failure is reported by `sysError`, which must be the very next
 * thing that happens, because it reads errno.
 */
export interface Libc {
  openat(dir: number, path: CString, flags: number, mode: number): number;
  openat2(dir: number, path: CString, how: Uint8Array, size: number): number;
  close(fd: number): number;
  mkdirat(dir: number, path: CString, mode: number): number;
  mknodat(dir: number, path: CString, mode: number, device: number): number;
  unlinkat(dir: number, path: CString, flags: number): number;
  symlinkat(target: CString, dir: number, path: CString): number;
  linkat(oldDir: number, oldPath: CString, newDir: number, newPath: CString, flags: number): number;
  renameat(oldDir: number, oldPath: CString, newDir: number, newPath: CString): number;
  readlinkat(dir: number, path: CString, into: Uint8Array, size: number): number;
  getdents64(fd: number, into: Uint8Array, size: number): number;
  fchownat(dir: number, path: CString, uid: number, gid: number, flags: number): number;
  fchmodat(dir: number, path: CString, mode: number, flags: number): number;
  fchmodat2(dir: number, path: CString, mode: number, flags: number): number;
  futimens(fd: number, times: Uint8Array): number;
  utimensat(dir: number, path: CString, times: Uint8Array, flags: number): number;
  statx(dir: number, path: CString, flags: number, mask: number, into: Uint8Array): number;
  lgetxattr(path: CString, name: CString, into: Uint8Array, size: number): number;
  lsetxattr(path: CString, name: CString, value: Uint8Array, size: number, flags: number): number;
  lremovexattr(path: CString, name: CString): number;
  llistxattr(path: CString, into: Uint8Array, size: number): number;
  flock(fd: number, operation: number): number;
  mount(source: CString, target: CString, type: CString, flags: number, data: CString | null): number;
  umount2(target: CString, flags: number): number;
  syncfs(fd: number): number;
  ioctl(fd: number, request: number, argument: number): number;
  copy_file_range(
    source: number,
    from: Uint8Array,
    target: number,
    to: Uint8Array,
    size: number,
    flags: number,
  ): number;
  lseek(fd: number, offset: number, whence: number): number;
  fcntl(fd: number, command: number, argument: number): number;
  sync_file_range(fd: number, offset: number, length: number, flags: number): number;
  socket(domain: number, type: number, protocol: number): number;
  sendto(fd: number, bytes: Uint8Array, size: number, flags: number, address: Uint8Array, length: number): number;
  getsockopt(fd: number, level: number, option: number, into: Uint8Array, size: Uint8Array): number;
}

/** What stands for a `const char *`: text when it is ASCII, else bytes with their terminating NUL. */
export type CString = string | Buffer;

/** The C library of this process. */
export function libc(): Libc {
  loaded ??= load();
  return loaded.libc;
}

/** `syncfs` in a thread of the thread pool, whose errno nobody can ask for. */
export function syncfsInPool(fd: number): Promise<number> {
  const { async } = libc().syncfs as unknown as {
    async(fd: number, done: (error: unknown, result: number) => void): void;
  };
  return new Promise((resolve, reject) =>
    async(fd, (error, result) => (error ? reject(error as Error) : resolve(result))),
  );
}

/** The kernel's limit on one path or link target, its NUL included. */
export const PATH_MAX = 4096;
/** Stands for the current directory where a call wants a directory descriptor. */
export const CURRENT_DIRECTORY = -100;

/**
 * A name as C wants it.
 *
 * @throws VarveError `system` with errno EINVAL for a name with a NUL inside, which C would cut short, and
 * ENAMETOOLONG for one that the kernel could not take.
 */
export function cString(name: ByteString, syscall: string): CString {
  if (name.length >= PATH_MAX) throw errnoError("ENAMETOOLONG", syscall, name);
  if (ASCII_WITHOUT_NUL.test(name)) return name;
  if (name.includes("\0")) throw errnoError("EINVAL", syscall, name);
  return Buffer.from(`${name}\0`, "latin1");
}

const ASCII_WITHOUT_NUL = /^[\x01-\x7f]*$/;

/**
 * The error of the call that has just returned -1, worded as Go words it (`link /foo: no such file or directory`),
 * with `errno`, `syscall` and `path` in its details.
 */
export function sysError(syscall: string, path: ByteString | number): VarveError {
  const errno = lastErrno();
  return errnoError(errno, syscall, path);
}

/** The name of the errno that the last call left behind, such as `ENOENT`. */
export function lastErrno(): string {
  loaded ??= load();
  return loaded.lastErrno();
}

/** The error that a call would have reported with this errno. A number stands for a descriptor without a known path. */
export function errnoError(errno: string, syscall: string, path: ByteString | number): VarveError {
  loaded ??= load();
  const where = typeof path === "number" ? `fd ${path}` : toText(path);
  const message = `${syscall} ${where}: ${loaded.describe(errno)}`;
  return new VarveError(codeOfErrno(errno), message, { errno, syscall, path: where });
}

interface Loaded {
  readonly libc: Libc;
  lastErrno(): string;
  describe(errno: string): string;
}

let loaded: Loaded | undefined;

function load(): Loaded {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  // The process itself is linked with its C library, whichever that is and whatever its file is called.
  const library = koffi.load(null);
  const functions: Partial<Record<string, unknown>> = {};
  for (const [name, [result, ...parameters]] of Object.entries(FUNCTIONS))
    functions[name] = library.func(name, result, parameters);
  for (const [name, [number, ...parameters]] of Object.entries(SYSTEM_CALLS)) {
    const syscall = library.func("syscall", "intptr_t", ["intptr_t", ...parameters]);
    functions[name] = (...values: unknown[]) => syscall(number, ...values);
  }

  const names = new Map<number, string>();
  for (const [name, number] of Object.entries(koffi.os.errno)) if (!names.has(number)) names.set(number, name);
  const strerror = library.func("strerror", "const char *", ["int"]);
  return {
    libc: functions as unknown as Libc,
    lastErrno() {
      const errno = koffi.errno();
      return names.get(errno) ?? `errno ${errno}`;
    },
    describe(errno) {
      const text: string = strerror(koffi.os.errno[errno] ?? 0);
      return text.charAt(0).toLowerCase() + text.slice(1);
    },
  };
}

/** The result's type, then the parameters'. koffi has no `ssize_t`. */
const FUNCTIONS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  openat: ["int", "int", "const char *", "int", "uint32_t"],
  close: ["int", "int"],
  mkdirat: ["int", "int", "const char *", "uint32_t"],
  unlinkat: ["int", "int", "const char *", "int"],
  symlinkat: ["int", "const char *", "int", "const char *"],
  linkat: ["int", "int", "const char *", "int", "const char *", "int"],
  renameat: ["int", "int", "const char *", "int", "const char *"],
  readlinkat: ["intptr_t", "int", "const char *", "void *", "size_t"],
  fchownat: ["int", "int", "const char *", "uint32_t", "uint32_t", "int"],
  fchmodat: ["int", "int", "const char *", "uint32_t", "int"],
  futimens: ["int", "int", "const void *"],
  utimensat: ["int", "int", "const char *", "const void *", "int"],
  statx: ["int", "int", "const char *", "int", "uint32_t", "void *"],
  lgetxattr: ["intptr_t", "const char *", "const char *", "void *", "size_t"],
  lsetxattr: ["int", "const char *", "const char *", "const void *", "size_t", "int"],
  lremovexattr: ["int", "const char *", "const char *"],
  llistxattr: ["intptr_t", "const char *", "void *", "size_t"],
  flock: ["int", "int", "int"],
  mount: ["int", "const char *", "const char *", "const char *", "unsigned long", "const char *"],
  umount2: ["int", "const char *", "int"],
  syncfs: ["int", "int"],
  ioctl: ["int", "int", "unsigned long", "intptr_t"],
  copy_file_range: ["intptr_t", "int", "void *", "int", "void *", "size_t", "uint32_t"],
  lseek: ["int64_t", "int", "int64_t", "int"],
  socket: ["int", "int", "int", "int"],
  sendto: ["intptr_t", "int", "const void *", "size_t", "int", "const void *", "uint32_t"],
  getsockopt: ["int", "int", "int", "int", "void *", "void *"],
};

const x64 = process.arch === "x64";

/**
 * The call's number, then its parameters' types: calls that a C library of the age that Node still supports may lack.
 * Calls from 424 on have one number everywhere; below it x64 has its own table, and the rest share the generic one.
 */
const SYSTEM_CALLS: Readonly<Record<string, readonly [number, ...string[]]>> = {
  openat2: [437, "int", "const char *", "const void *", "size_t"],
  fchmodat2: [452, "int", "const char *", "uint32_t", "int"],
  mknodat: [x64 ? 259 : 33, "int", "const char *", "uint32_t", "uint32_t"],
  getdents64: [x64 ? 217 : 61, "int", "void *", "size_t"],
  fcntl: [x64 ? 72 : 25, "int", "int", "intptr_t"],
  sync_file_range: [x64 ? 277 : 84, "int", "int64_t", "int64_t", "uint32_t"],
};
