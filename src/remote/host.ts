import { join } from "node:path";
import { VarveError } from "../errors.ts";

/** Where a daemon is, as `docker -H` names it. */
export type Host =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** PEM files. Either side must have a certificate that the authority has signed. */
export interface TlsFiles {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

/**
 * Reads `unix:///run/varve.sock`, `tcp://127.0.0.1:2375` and `tcp://[::1]:2375`.
 *
 * @param advice what else the caller understands
 * @throws VarveError `invalid-argument`
 */
export function parseHost(text: string, advice = ""): Host {
  const [, scheme, rest = ""] = /^(unix|tcp):\/\/(.+)$/.exec(text) ?? [];
  if (scheme === "unix") return { kind: "unix", path: checkedPath(rest) };
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(rest) ?? [];
  const host = bracketed ?? plain;
  if (scheme === undefined || host === undefined || Number(port) > 65_535)
    throw new VarveError("invalid-argument", `invalid address ${text}: use unix:///PATH or tcp://HOST:PORT${advice}`, {
      text,
    });
  return { kind: "tcp", host, port: Number(port) };
}

/** Where the daemon of a data-root listens unless it is told. */
export function socketOf(root: string): string {
  return `unix://${join(root, "varve", "docker.sock")}`;
}

/** The longest that the kernel takes. */
const LONGEST_PATH = 107;

function checkedPath(path: string): string {
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  throw new VarveError(
    "invalid-argument",
    `${path} is too long for a socket, which may have ${LONGEST_PATH} bytes: choose another with -H unix://PATH`,
    { path },
  );
}
