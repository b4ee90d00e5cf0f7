import { createHash, type Hash, hash } from "node:crypto";
import { VarveError } from "../errors.ts";

/**
 * Digest strings (FORMATS 1.1): `<algorithm>:<lower-case hex>`. Past `parseDigest` the type is the proof. Only sha256
 * is used for storage; the longer ones parse, because references and descriptors may carry them.
 */
export type Digest = `${Algorithm}:${string}`;
export type Algorithm = keyof typeof HEX_LENGTH;

const HEX_LENGTH = { sha256: 64, sha384: 96, sha512: 128 } as const;
const SHAPE = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/**
 * Reads a digest, with the three failures that Docker tells apart.
 *
 * @throws VarveError `invalid-digest`
 * @example parseDigest("sha256:" + "0".repeat(64))
 */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(":");
  if (colon <= 0 || colon === text.length - 1) throw invalid(text, "invalid checksum digest format");
  const algorithm = text.slice(0, colon);
  if (!Object.hasOwn(HEX_LENGTH, algorithm))
    throw invalid(text, SHAPE.test(text) ? "unsupported digest algorithm" : "invalid checksum digest format");
  const encoded = text.slice(colon + 1);
  if (encoded.length !== HEX_LENGTH[algorithm as Algorithm]) throw invalid(text, "invalid checksum digest length");
  if (/[^a-f0-9]/.test(encoded)) throw invalid(text, "invalid checksum digest format");
  return text as Digest;
}

/** Whether `parseDigest` would accept the text. */
export function isDigest(text: string): text is Digest {
  try {
    parseDigest(text);
    return true;
  } catch {
    return false;
  }
}

/** The digest of bytes that are at hand. */
export function digestOf(bytes: Uint8Array | string, algorithm: Algorithm = "sha256"): Digest {
  return `${algorithm}:${hash(algorithm, bytes)}`;
}

export function algorithmOf(digest: Digest): Algorithm {
  return digest.slice(0, digest.indexOf(":")) as Algorithm;
}

/** The part after the colon. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(":") + 1);
}

/** Hashes a stream as it passes: `update` for each chunk, `digest` once at the end. */
export class Digester {
  readonly #algorithm: Algorithm;
  readonly #hash: Hash;

  constructor(algorithm: Algorithm = "sha256") {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  update(bytes: Uint8Array): void {
    this.#hash.update(bytes);
  }

  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest("hex")}`;
  }
}

function invalid(text: string, message: string): VarveError {
  return new VarveError("invalid-digest", message, { text });
}
