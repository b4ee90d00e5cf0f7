/** Certificates for tests of TLS, which need `openssl`. */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** PEM files of one party. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

/** An authority, what it signed for a server and a client, and a client that it does not know. */
export function makeCertificates(
  path: string,
): Record<"authority" | "server" | "client" | "stranger", CertificatePair> {
  mkdirSync(join(path, "tls"));
  const pair = (name: string): CertificatePair => ({
    certificate: join(path, "tls", `${name}.pem`),
    key: join(path, "tls", `${name}.key`),
  });
  const make = (name: string, ...more: readonly string[]): CertificatePair => {
    const { certificate, key } = pair(name);
    const kind = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"];
    execFileSync("openssl", [...kind, "-subj", `/CN=${name}`, "-keyout", key, "-out", certificate, ...more], {
      stdio: "ignore",
    });
    return pair(name);
  };
  const authority = make("authority");
  const signed = [
    "-CA",
    authority.certificate,
    "-CAkey",
    authority.key,
    "-addext",
    "basicConstraints=critical,CA:FALSE",
  ];
  return {
    authority,
    server: make("server", ...signed, "-addext", "subjectAltName=IP:127.0.0.1"),
    client: make("client", ...signed),
    stranger: make("stranger"),
  };
}
