import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, realpathSync, statfsSync } from "node:fs";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { fromText } from "./byte-string.ts";
import { type CString, cString, errnoError, libc, sysError } from "./libc.ts";

/** What mount(2) is told. */
export interface MountRequest {
  readonly source: string;
  readonly target: string;
  /** The file system's type, such as `overlay`. */
  readonly type: string;
  /** The file system's own options, comma separated; one page less a byte at most. */
  readonly data: string;
}

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;
const OVERLAY_MAGIC = 0x794c7630;

/**
 * Mounts in the mount namespace of this process. `flags` are mount(2)'s `MS_` bits.
 *
 * @throws VarveError with errno E2BIG for options that the kernel would cut short, which `mountIn` may still mount
 */
export function mount(request: MountRequest & { readonly flags?: number }): void {
  const { source, target, type, flags = 0, data } = request;
  if (Buffer.byteLength(data) >= PAGE_SIZE) throw errnoError("E2BIG", "mount", fromText(target));
  const result = libc().mount(forC(source), forC(target), forC(type), flags, forC(data));
  if (result < 0) throw sysError("mount", fromText(target));
}

/** The kernel copies one page of options; 4096 bytes is the smallest that pages are. */
const PAGE_SIZE = 4096;

/**
 * Mounts with a target and options that are relative to `directory`, for option strings that would pass the limit of a
 * page with absolute paths. Only a process of its own can have its own current directory, so util-linux's `mount` runs.
 */
export function mountIn(directory: string, request: MountRequest): void {
  const { source, target, type, data } = request;
  if (Buffer.byteLength(data) >= PAGE_SIZE) throw errnoError("E2BIG", "mount", fromText(target));
  if (!existsSync(directory)) throw errnoError("ENOENT", "chdir", fromText(directory));
  // No helper programs, no paths made absolute, no entry in utab; and mount(2), since fsconfig(2) takes 256 bytes only.
  const result = spawnSync("mount", ["-i", "-c", "-n", "-t", type, "-o", data, "--", source, target], {
    cwd: directory,
    env: { ...process.env, LC_ALL: "C", LIBMOUNT_FORCE_MOUNT2: "always" },
    encoding: "utf8",
    stdio: ["ignore", "ignore", "pipe"],
  });
  if (result.error !== undefined) {
    const missing = errnoOf(result.error) === "ENOENT";
    if (missing) throw new VarveError("unsupported", "mount is not installed: install util-linux", {}, result.error);
    throw asVarveError(result.error);
  }
  if (result.status === 0) return;
  const reason = result.stderr.trim().replace(/^mount: /, "");
  throw new VarveError("system", `mount ${target}: ${reason}`, { syscall: "mount", path: target, directory });
}

/** Takes the topmost mount off `target`. `lazy`: out of the name space now, away when its last user is gone. */
export function unmount(target: string, options: { readonly lazy?: boolean } = {}): void {
  const flags = UMOUNT_NOFOLLOW | (options.lazy ? MNT_DETACH : 0);
  if (libc().umount2(forC(target), flags) < 0) throw sysError("unmount", fromText(target));
}

/** Whether an overlay begins at exactly this path; a path that is not there is none. */
export function isOverlayMount(path: string): boolean {
  const real = realPathIfAny(path);
  return real !== undefined && fileSystemMagic(real) === OVERLAY_MAGIC && mountPoints().includes(real);
}

/** The magic number of the file system that holds the path, as statfs(2) gives it. */
export function fileSystemMagic(path: string): number {
  try {
    return statfsSync(path).type;
  } catch (error) {
    throw asVarveError(error);
  }
}

/** The mounts strictly below a directory, oldest first, spelled as the directory is; in reverse they can be undone. */
export function mountPointsBelow(directory: string): string[] {
  const real = realPathIfAny(directory);
  if (real === undefined) return [];
  const prefix = withSlash(real);
  return mountPoints()
    .filter((point) => point.startsWith(prefix) && point !== prefix)
    .map((point) => withSlash(directory) + point.slice(prefix.length));
}

function mountPoints(): string[] {
  return parseMountPoints(readFileSync("/proc/self/mountinfo", "utf8"));
}

/** The fifth field of each line of mountinfo (proc(5)), where white space and backslashes are written in octal. */
export function parseMountPoints(mountinfo: string): string[] {
  return mountinfo
    .split("\n")
    .map((line) => line.split(" ")[4])
    .filter((field) => field !== undefined)
    .map((field) =>
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
}

function realPathIfAny(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw asVarveError(error);
  }
}

function withSlash(directory: string): string {
  return directory.endsWith("/") ? directory : `${directory}/`;
}

function forC(text: string): CString {
  return cString(fromText(text), "mount");
}
