import { chmodSync, chownSync, lstatSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type ListenOptions, type Socket } from "node:net";
import { asVarveError, VarveError } from "../errors.ts";
import { type Host, parseHost, type TlsFiles } from "../remote/host.ts";
import { readTrust } from "../remote/tls.ts";
import { type InheritedSocket, inheritedSockets } from "./inherited.ts";
import { alreadyListening, listenFailure } from "./listen-failure.ts";

/** Where a daemon listens, as `docker -H` names it. */
export type Address =
  | Host
  /** Sockets that systemd has opened: which of them, as `inheritedSockets` takes it. */
  | { readonly kind: "inherited"; readonly which: string };

/** Where one socket is, or is to be. */
export type Place = Host | InheritedSocket;

export interface Listener {
  /** As clients name it; with the port that the kernel chose, where it was to choose. */
  readonly name: string;
  /** Takes no more connections, drops those that are idle, and returns when the last is over. */
  close(): Promise<void>;
  /** Ends what connections there are. */
  cut(): void;
}

/**
 * Reads what `parseHost` reads, and `fd://`, `fd://3` and `fd://name`.
 *
 * @throws VarveError `invalid-argument`
 */
export function parseAddress(text: string): Address {
  const [, which] = /^fd:\/\/([^/:]*)$/.exec(text) ?? [];
  return which === undefined ? parseHost(text, ", or fd:// for sockets of systemd") : { kind: "inherited", which };
}

/** The sockets of an address, of which systemd may have opened several. @throws VarveError `invalid-argument` */
export function placesOf(address: Address): Place[] {
  return address.kind === "inherited" ? inheritedSockets(address.which) : [address];
}

/** Whether a place can be reached from elsewhere, so that only TLS knows who comes. */
export function isRemote(place: Place): boolean {
  return place.kind === "tcp" || (place.kind === "inherited" && place.reachedBy === "tcp");
}

export interface ListenerOptions {
  readonly tls?: TlsFiles | undefined;
  /** How many connections there may be; any more are dropped at once. */
  readonly connections: number;
  /** Milliseconds that a client has to say what it wants, from when it connects or begins to say it. */
  readonly patience: number;
}

/**
 * @param onRefused told of connections that could not be taken, and why
 * @throws VarveError `in-use`, `permission`, `invalid-argument`
 */
export async function openListener(
  place: Place,
  { tls, connections: most, patience }: ListenerOptions,
  onRequest: RequestListener,
  onRefused: (why: string) => void,
): Promise<Listener> {
  const settings = { ...SETTINGS, headersTimeout: patience, connectionsCheckingInterval: patience / 2 };
  const server =
    tls !== undefined && isRemote(place) ? tlsServer(settings, tls, onRequest) : createServer(settings, onRequest);
  server.maxConnections = most;
  if (place.kind === "unix") await removeStale(place.path);
  await listen(server, place);
  server.on("error", ({ message }) => onRefused(message));
  server.on("drop", () => onRefused(`there are ${most} already`));
  // Also those that have not yet said what they want, or who they are.
  const connections = new Set<Socket>();
  server.on("connection", (connection: Socket) => {
    connections.add(connection);
    connection.once("close", () => connections.delete(connection));
  });
  return {
    name: nameOf(server, place),
    close: () => new Promise((resolve) => server.close(() => resolve())),
    cut: () => {
      for (const connection of connections) connection.destroy();
    },
  };
}

/** How many descriptors this process may have open. */
export function descriptorLimit(): number {
  const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Lets a group use a socket, as `docker` may that of dockerd. @throws VarveError `not-found`, `permission` */
export function giveToGroup(path: string, group: string): void {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .map((text) => text.split(":"))
    .find(([name, , id]) => name === group || id === group);
  if (line === undefined)
    throw new VarveError("not-found", `there is no group ${group}: choose one of /etc/group with -G`, { group });
  try {
    chownSync(path, -1, Number(line[2]));
    chmodSync(path, 0o660);
  } catch (error) {
    throw asVarveError(error);
  }
}

/**
 * Headers may be as long as Go's server takes them, so that long filters and tokens come through. An upload may take as
 * long as it takes, and clients come back to their connections after any time; those that died are found by the kernel.
 */
const SETTINGS: ServerOptions = {
  ...{ maxHeaderSize: 1 << 20, requestTimeout: 0, keepAliveTimeout: 0 },
  ...{ keepAlive: true, keepAliveInitialDelay: 60_000 },
};

function tlsServer(settings: ServerOptions, files: TlsFiles, onRequest: RequestListener): Server {
  return createTlsServer({ ...settings, ...readTrust(files), requestCert: true, rejectUnauthorized: true }, onRequest);
}

/** A socket that a dead process left is in the way of a new one; one that somebody answers at is his. */
async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const answered = await new Promise<boolean>((resolve) => {
    const client = connect(path, () => resolve(true)).once("error", () => resolve(false));
    client.once("connect", () => client.destroy());
  });
  if (answered) throw alreadyListening(`unix://${path}`);
  rmSync(path, { force: true });
}

function listen(server: Server, place: Place): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(listenFailure(error, place));
    server.once("error", fail);
    // A socket is its owner's alone from its first moment on.
    const mask = process.umask(0o177);
    try {
      server.listen(optionsOf(place), () => {
        server.off("error", fail);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}

function optionsOf(place: Place): ListenOptions & { fd?: number } {
  switch (place.kind) {
    case "unix":
      return { path: place.path };
    case "tcp":
      return { host: place.host, port: place.port };
    case "inherited":
      return { fd: place.descriptor };
  }
}

function nameOf(server: Server, place: Place): string {
  if (place.kind === "unix") return `unix://${place.path}`;
  const bound = server.address() as AddressInfo | string | null;
  if (bound === null || typeof bound === "string") return `fd://${place.kind === "inherited" ? place.descriptor : ""}`;
  return `tcp://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`;
}
