import { isIP } from "node:net";
import { invalid } from "./dockerfile.ts";

/**
 * What a port specification of `EXPOSE` (`80`, `80-82/udp`, `127.0.0.1:8080:80`) exposes inside the container.
 *
 * @returns keys as a config has them, such as `80/tcp`
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function exposedPorts(spec: string): string[] {
  return publishedPorts(spec).map(({ port }) => port);
}

/** A port of a container, and where on the host it is to be. */
export interface PublishedPort {
  /** Such as `80/tcp`. */
  readonly port: string;
  /** Empty for all. */
  readonly hostIP: string;
  /** A port or a range to take one of, or nothing for any. */
  readonly hostPort: string;
}

/**
 * The same of `--publish`, with the places on the host.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function publishedPorts(spec: string): PublishedPort[] {
  const [address, hostPorts, portsAndProtocol] = splitSpec(spec);
  const [ports = "", protocol = ""] = portsAndProtocol.split("/");
  const hostIP = checkAddress(address);
  if (ports === "") throw invalid(`No port specified: ${spec}<empty>`);
  const container = parseRange(ports);
  if (container === undefined) throw invalid(`Invalid containerPort: ${ports}`);
  const host = hostPorts === "" ? undefined : parseRange(hostPorts);
  if (hostPorts !== "" && host === undefined) throw invalid(`Invalid hostPort: ${hostPorts}`);
  const isOneOfMany = host !== undefined && host[1] - host[0] !== container[1] - container[0];
  if (isOneOfMany && container[0] !== container[1])
    throw invalid(`Invalid ranges specified for container and host Ports: ${ports} and ${hostPorts}`);
  if (!["", "tcp", "udp", "sctp"].includes(protocol.toLowerCase())) throw invalid(`Invalid proto: ${protocol}`);
  const published: PublishedPort[] = [];
  const suffix = protocol.toLowerCase() || "tcp";
  for (let port = container[0]; port <= container[1]; port++) {
    const hostPort = host === undefined ? "" : isOneOfMany ? hostPorts : `${host[0] + port - container[0]}`;
    published.push({ port: `${port}/${suffix}`, hostIP, hostPort });
  }
  return published;
}

function splitSpec(spec: string): [address: string, host: string, container: string] {
  const parts = spec.split(":");
  const container = parts.pop()!;
  const host = parts.pop() ?? "";
  return [parts.join(":"), host, container];
}

/** As Go's `net.SplitHostPort` and `net.ParseIP` see it. @returns it without brackets */
function checkAddress(address: string): string {
  if (address === "") return "";
  const bracketed = address.startsWith("[");
  const end = address.indexOf("]");
  const host = bracketed && end > 0 ? address.slice(1, end) : address;
  const why = whyNoHost(address, bracketed, end);
  if (why !== undefined) throw invalid(`Invalid ip address ${address}: address ${address}:: ${why}`);
  if (host !== "" && isIP(host) === 0) throw invalid(`Invalid ip address: ${host}`);
  return host;
}

function whyNoHost(address: string, bracketed: boolean, end: number): string | undefined {
  if (bracketed) {
    if (end < 0) return "missing ']' in address";
    if (end < address.length - 1)
      return address[end + 1] === ":" ? "too many colons in address" : "missing port in address";
  } else if (address.includes(":")) return "too many colons in address";
  if (address.includes("[", bracketed ? 1 : 0)) return "unexpected '[' in address";
  if (address.includes("]", bracketed ? end + 1 : 0)) return "unexpected ']' in address";
  return undefined;
}

function parseRange(text: string): [first: number, last: number] | undefined {
  const [from = "", to] = text.split("-");
  const first = parsePort(from);
  const last = to === undefined ? first : parsePort(to);
  if (first === undefined || last === undefined || last < first) return undefined;
  return [first, last];
}

function parsePort(text: string): number | undefined {
  if (!/^[0-9]+$/.test(text)) return undefined;
  const port = Number(text);
  return port <= 65535 ? port : undefined;
}
