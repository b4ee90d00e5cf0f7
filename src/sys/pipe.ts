import { libc } from "./libc.ts";

/**
 * Gives a pipe room for a megabyte, so that writer and reader take turns less often. What is no pipe, or a pipe that the
 * user may not have so large, stays as it is.
 */
export function enlargePipe(fd: number): void {
  libc().fcntl(fd, F_SETPIPE_SZ, ROOM);
}

const F_SETPIPE_SZ = 1031;
/** As much as an ordinary user may have, unless the administrator thinks otherwise. */
const ROOM = 1 << 20;
