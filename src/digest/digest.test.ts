import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { chainIDOf, EMPTY_LAYER_DIFF_ID, extendChain } from "./chain-id.ts";
import { type Digest, Digester, digestOf, isDigest, parseDigest } from "./digest.ts";
import { randomID, shortID } from "./random-id.ts";

describe("digest", () => {
  test.each([
    ["", "invalid checksum digest format"],
    [":ab", "invalid checksum digest format"],
    ["sha256:", "invalid checksum digest format"],
    ["md5:d41d8cd98f00b204e9800998ecf8427e", "unsupported digest algorithm"],
    ["MD5:00", "invalid checksum digest format"],
    ["sha256:zz", "invalid checksum digest length"],
    [`sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
  ])("%s is refused as: %s", (text, message) => {
    expect(() => parseDigest(text)).toThrow(message);
  });

  test("anything but a digest is refused with the invalid-digest code", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parseDigest(text)).toBe(text);
        } catch (error) {
          expect(error).toBeInstanceOf(VarveError);
          expect(isDigest(text)).toBe(false);
        }
      }),
    );
  });

  test("a digest of chunks is the digest of the whole", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        const digester = new Digester();
        for (const chunk of chunks) digester.update(chunk);
        expect(digester.digest()).toBe(digestOf(Buffer.concat(chunks)));
      }),
    );
  });
});

describe("chain id", () => {
  // Read off a layerdb that dockerd 20.10.24 wrote.
  const first: Digest = "sha256:41692063a993765cdce26542d8ebe9540cd1c5b3106df49d92ea1471d36173c4";
  const second: Digest = "sha256:90e0561d6b04b616fc44f9ab64754489f25de1bd9a54b51977be8c7c9858380f";
  const chain = "sha256:df4d80f8188eadc6f9ead6b9a575efd989e41d8fc8732aebd0eebe51675b774f";

  test("a base layer's chain is its DiffID, a second layer's the one that dockerd computed", () => {
    expect(extendChain(undefined, first)).toBe(first);
    expect(extendChain(first, second)).toBe(chain);
    expect(chainIDOf([first, second])).toBe(chain);
    expect(chainIDOf([])).toBeUndefined();
  });

  test("the empty layer is 1024 zero bytes", () => {
    expect(digestOf(new Uint8Array(1024))).toBe(EMPTY_LAYER_DIFF_ID);
  });
});

describe("random id", () => {
  test("has 64 hex characters and a short form that is no number", () => {
    for (let i = 0; i < 100; i++) {
      const id = randomID();
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(shortID(`sha256:${id}`)).toBe(id.slice(0, 12));
      expect(shortID(id)).not.toMatch(/^\d+$/);
    }
  });
});
