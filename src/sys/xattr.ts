import { type ByteString, fromBytes } from "./byte-string.ts";
import { type CString, CURRENT_DIRECTORY, cString, errnoError, lastErrno, libc, sysError } from "./libc.ts";

/**
 * Extended attributes of the object that has a name, never of what a link points to. The kernel's calls take no
 * directory descriptor, so the way there is `/proc/self/fd`. Attribute names are bytes like file names, ASCII in
 * practice: `trusted.overlay.opaque`.
 */

/** The value; `undefined` when the object has no such attribute or its file system keeps none. */
export function getXattrAt(dir: number, name: ByteString, attribute: string): Buffer | undefined {
  const length = libc().lgetxattr(pathOf(dir, name), attributeName(attribute), buffer(), XATTR_SIZE_MAX);
  if (length >= 0) return Buffer.from(buffer().subarray(0, length));
  const errno = lastErrno();
  if (errno === "ENODATA" || errno === "ENOTSUP") return undefined;
  throw errnoError(errno, "lgetxattr", name);
}

/** Creates or replaces. */
export function setXattrAt(dir: number, name: ByteString, attribute: string, value: Uint8Array): void {
  const result = libc().lsetxattr(pathOf(dir, name), attributeName(attribute), value, value.length, 0);
  if (result < 0) throw sysError("lsetxattr", name);
}

/** Does nothing when there is no such attribute. */
export function removeXattrAt(dir: number, name: ByteString, attribute: string): void {
  if (libc().lremovexattr(pathOf(dir, name), attributeName(attribute)) === 0) return;
  const errno = lastErrno();
  if (errno !== "ENODATA") throw errnoError(errno, "lremovexattr", name);
}

/** The names, sorted; none where the file system keeps no attributes. */
export function listXattrsAt(dir: number, name: ByteString): ByteString[] {
  const length = libc().llistxattr(pathOf(dir, name), buffer(), XATTR_LIST_MAX);
  if (length < 0) {
    const errno = lastErrno();
    if (errno === "ENOTSUP") return [];
    throw errnoError(errno, "llistxattr", name);
  }
  if (length === 0) return [];
  return fromBytes(buffer().subarray(0, length - 1))
    .split("\0")
    .sort() as ByteString[];
}

const XATTR_SIZE_MAX = 65536;
const XATTR_LIST_MAX = 65536;

function pathOf(dir: number, name: ByteString): CString {
  const path = dir === CURRENT_DIRECTORY ? name : `/proc/self/fd/${dir}/${name}`;
  return cString(path as ByteString, "xattr");
}

function attributeName(attribute: string): CString {
  return cString(attribute as ByteString, "xattr");
}

function buffer(): Buffer {
  shared ??= Buffer.allocUnsafeSlow(XATTR_SIZE_MAX);
  return shared;
}

let shared: Buffer | undefined;
