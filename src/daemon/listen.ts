import { chmodSync, chownSync, lstatSync, readFileSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server, type ServerOptions } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type ListenOptions, type Socket } from "node:net";
import { asVarveError, errnoOf, VarveError } from "../errors.ts";
import { type Host, parseHost, type TlsFiles } from "../remote/host.ts";

/** Where a daemon listens, as `docker -H` names it. */
export type Address =
  | Host
  /** Sockets that systemd, or who else starts us, has opened. */
  | { readonly kind: "inherited" };

export interface Listener {
  /** As clients name it; with the port that the kernel chose, where it was to choose. */
  readonly name: string;
  /** Takes no more connections, drops those that are idle, and returns when the last is over. */
  close(): Promise<void>;
  /** Ends what connections there are. */
  cut(): void;
}

/**
 * Reads what `parseHost` reads, and `fd://`.
 *
 * @throws VarveError `invalid-argument`
 */
export function parseAddress(text: string): Address {
  return text === "fd://" ? { kind: "inherited" } : parseHost(text, ", or fd:// for sockets of systemd");
}

/**
 * @param onError told of connections that could not be taken
 * @throws VarveError `in-use`, `permission`, `invalid-argument`
 */
export async function openListener(
  address: Address,
  tls: TlsFiles | undefined,
  onRequest: RequestListener,
  onError: (error: Error) => void,
): Promise<Listener> {
  const server =
    tls !== undefined && address.kind === "tcp" ? tlsServer(tls, onRequest) : createServer(SETTINGS, onRequest);
  // An upload may take as long as it takes, and clients come back to their connections after any time.
  server.requestTimeout = 0;
  server.keepAliveTimeout = 0;
  if (address.kind === "unix") await removeStale(address.path);
  await listen(server, address);
  server.on("error", onError);
  // Also those that have not yet said what they want, or who they are.
  const connections = new Set<Socket>();
  server.on("connection", (connection: Socket) => {
    connections.add(connection);
    connection.once("close", () => connections.delete(connection));
  });
  if (address.kind === "unix") chmodSync(address.path, 0o600);
  return {
    name: nameOf(server, address),
    close: () => new Promise((resolve) => server.close(() => resolve())),
    cut: () => {
      for (const connection of connections) connection.destroy();
    },
  };
}

/** Lets a group use a socket, as `docker` may that of dockerd. @throws VarveError `not-found`, `permission` */
export function giveToGroup(path: string, group: string): void {
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .map((text) => text.split(":"))
    .find(([name, , id]) => name === group || id === group);
  if (line === undefined) throw new VarveError("not-found", `there is no group ${group}`, { group });
  try {
    chownSync(path, -1, Number(line[2]));
    chmodSync(path, 0o660);
  } catch (error) {
    throw asVarveError(error);
  }
}

/** What Go's server takes, so that long filters and tokens come through. */
const SETTINGS: ServerOptions = { maxHeaderSize: 1 << 20 };

/** The first descriptor after the standard ones; `LISTEN_FDS` says how many there are. */
const FIRST_INHERITED = 3;

function tlsServer(files: TlsFiles, onRequest: RequestListener): Server {
  try {
    const [ca, cert, key] = [files.authority, files.certificate, files.key].map((path) => readFileSync(path));
    const trust = { ca, cert, key, requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.2" } as const;
    return createTlsServer({ ...SETTINGS, ...trust }, onRequest);
  } catch (error) {
    if (errnoOf(error)?.startsWith("ERR_"))
      throw new VarveError("invalid-argument", `TLS: ${(error as Error).message}`, { ...files }, error);
    throw asVarveError(error);
  }
}

/** A socket that a dead process left is in the way of a new one; one that somebody answers at is his. */
async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const answered = await new Promise<boolean>((resolve) => {
    const client = connect(path, () => resolve(true)).once("error", () => resolve(false));
    client.once("connect", () => client.destroy());
  });
  if (answered) throw new VarveError("in-use", `somebody already listens at ${path}`, { path });
  rmSync(path, { force: true });
}

function listen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(failureOf(error, address));
    server.once("error", fail);
    server.listen(placeOf(address), () => {
      server.off("error", fail);
      resolve();
    });
  });
}

function placeOf(address: Address): ListenOptions & { fd?: number } {
  switch (address.kind) {
    case "unix":
      return { path: address.path };
    case "tcp":
      return { host: address.host, port: address.port };
    case "inherited":
      return { fd: inheritedDescriptor() };
  }
}

function inheritedDescriptor(): number {
  const { LISTEN_FDS: count, LISTEN_PID: process_ } = process.env;
  if (count === "1" && Number(process_) === process.pid) return FIRST_INHERITED;
  throw new VarveError("invalid-argument", "fd:// needs one socket from systemd: LISTEN_FDS=1 and LISTEN_PID", {
    count,
  });
}

function failureOf(error: Error, address: Address): unknown {
  if (errnoOf(error) !== "EADDRINUSE") return asVarveError(error);
  const name = address.kind === "tcp" ? `port ${address.port} of ${address.host}` : "that socket";
  return new VarveError("in-use", `somebody already listens at ${name}`, {}, error);
}

function nameOf(server: Server, address: Address): string {
  if (address.kind === "unix") return `unix://${address.path}`;
  const bound = server.address() as AddressInfo | string | null;
  if (bound === null) return "fd://";
  if (typeof bound === "string") return `unix://${bound}`;
  return `tcp://${bound.family === "IPv6" ? `[${bound.address}]` : bound.address}:${bound.port}`;
}
