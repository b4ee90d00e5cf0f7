import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import { asVarveError, isVarveError, VarveError } from "../errors.ts";
import type { TlsFiles } from "./host.ts";

/** What a side believes, and what it shows. */
export interface Trust {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: "TLSv1.2";
}

/**
 * Reads what either side needs.
 *
 * @throws VarveError `not-found`, `permission`; `invalid-argument` for files that are not what they should be. All name
 *   the file.
 */
export function readTrust({ authority, certificate, key }: TlsFiles): Trust {
  const trust: Trust = {
    ...{ ca: readCertificate(authority), cert: readCertificate(certificate), key: readPem(key) },
    minVersion: "TLSv1.2",
  };
  try {
    createSecureContext({ cert: trust.cert, key: trust.key });
  } catch (error) {
    throw wrong(key, `is not the key of ${certificate}`, error);
  }
  return trust;
}

function readCertificate(path: string): Buffer {
  const bytes = readPem(path);
  try {
    new X509Certificate(bytes);
  } catch (error) {
    throw wrong(path, "is no certificate in PEM", error);
  }
  return bytes;
}

function readPem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const known = asVarveError(error);
    if (!isVarveError(known)) throw known;
    const reason = { "not-found": "no such file or directory", permission: "permission denied" }[known.code as string];
    throw new VarveError(known.code, `TLS: open ${path}: ${reason ?? known.message}`, known.details, error);
  }
}

function wrong(path: string, what: string, cause: unknown): VarveError {
  return new VarveError("invalid-argument", `TLS: ${path} ${what}: ${(cause as Error).message}`, { path }, cause);
}
