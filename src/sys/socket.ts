import type { ByteString } from "./byte-string.ts";
import { libc, sysError } from "./libc.ts";

/** How others reach a socket that listens. */
export type SocketKind = "tcp" | "unix";

/** @returns undefined for what is no socket, or none that takes connections */
export function listeningKind(fd: number): SocketKind | undefined {
  if (socketOption(fd, SO_ACCEPTCONN) !== 1) return undefined;
  const domain = socketOption(fd, SO_DOMAIN);
  if (domain === AF_UNIX) return "unix";
  return domain === AF_INET || domain === AF_INET6 ? "tcp" : undefined;
}

/**
 * Sends one datagram, as Node cannot.
 *
 * @param path of a unix socket; `@` in front stands for the abstract name space
 * @throws VarveError with the errno
 */
export function sendDatagram(path: ByteString, content: string): void {
  const fd = libc().socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw sysError("socket", path);
  try {
    const bytes = Buffer.from(content);
    const address = addressOf(path);
    if (libc().sendto(fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length) < 0)
      throw sysError("sendto", path);
  } finally {
    libc().close(fd);
  }
}

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;

function socketOption(fd: number, option: number): number | undefined {
  const value = new Int32Array(1);
  const size = new Uint32Array([value.byteLength]);
  const [into, capacity] = [value, size].map(({ buffer }) => new Uint8Array(buffer));
  return libc().getsockopt(fd, SOL_SOCKET, option, into!, capacity!) < 0 ? undefined : value[0];
}

/** `struct sockaddr_un`, as long as the name needs. */
function addressOf(path: ByteString): Buffer {
  const family = Buffer.from(Uint16Array.of(AF_UNIX).buffer);
  const name = Buffer.from(path.startsWith("@") ? `\0${path.slice(1)}` : `${path}\0`, "latin1");
  return Buffer.concat([family, name]);
}
