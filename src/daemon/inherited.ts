/**
 * What systemd, or who else starts the daemon as it would, hands over: sockets that are open already, named by
 * `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`, and another to say how things go, `NOTIFY_SOCKET`.
 */
import { VarveError } from "../errors.ts";
import { fromText } from "../sys/byte-string.ts";
import { listeningKind, type SocketKind, sendDatagram } from "../sys/socket.ts";

export interface InheritedSocket {
  readonly kind: "inherited";
  readonly descriptor: number;
  readonly reachedBy: SocketKind;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The first descriptor after the standard ones. */
const FIRST = 3;

/**
 * @param which what comes behind `fd://`: nothing or `*` for all of them, the number of a descriptor, or a name, which
 *   several may have
 * @throws VarveError `invalid-argument` when there are none such, or one that nobody could connect to
 */
export function inheritedSockets(which: string, environment: Environment = process.env): InheritedSocket[] {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES = "" } = environment;
  const count = Number(LISTEN_PID) === process.pid ? Number(LISTEN_FDS) : 0;
  if (!Number.isInteger(count) || count < 1)
    throw new VarveError(
      "invalid-argument",
      "no sockets found via socket activation: make sure the service was started by systemd",
      { LISTEN_PID, LISTEN_FDS },
    );
  const names = LISTEN_FDNAMES.split(":");
  const descriptors = Array.from({ length: count }, (_, i) => FIRST + i);
  const chosen = descriptors.filter(
    (descriptor, i) => which === "" || which === "*" || which === `${descriptor}` || which === names[i],
  );
  if (chosen.length === 0)
    throw new VarveError("invalid-argument", `systemd has passed no socket fd://${which}`, { count, LISTEN_FDNAMES });
  return chosen.map(asSocket);
}

/**
 * Tells systemd how things go, where it asks for it: `READY=1` as soon as clients are answered, `STOPPING=1`.
 *
 * @throws VarveError of the socket that it gave
 */
export function notify(state: string, { NOTIFY_SOCKET }: Environment = process.env): void {
  if (NOTIFY_SOCKET) sendDatagram(fromText(NOTIFY_SOCKET), state);
}

function asSocket(descriptor: number): InheritedSocket {
  const reachedBy = listeningKind(descriptor);
  if (reachedBy === undefined)
    throw new VarveError("invalid-argument", `fd://${descriptor} is no socket of a stream that listens`, {
      descriptor,
    });
  return { kind: "inherited", descriptor, reachedBy };
}
