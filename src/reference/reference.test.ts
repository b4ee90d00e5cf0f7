import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../errors.ts";
import { matchReference } from "./grammar.ts";
import {
  canonicalName,
  canonicalString,
  familiarName,
  familiarString,
  isNameOnly,
  parseAny,
  parseNormalized,
  parseReference,
  trimmed,
  withDefaultTag,
  withDigest,
  withTag,
} from "./reference.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}` as const;

test("an error has the text that the user typed", () => {
  for (const text of ["", "a b", "a:b:c", `x@sha256:${"0".repeat(32)}`, "a".repeat(300), "Upper"])
    expect(() => parseNormalized(text)).toThrow(expect.objectContaining({ details: { text } }));
});

describe("normalisation", () => {
  test.each([
    ["ubuntu", "docker.io/library/ubuntu", "ubuntu", "ubuntu:latest"],
    ["library/ww", "docker.io/library/ww", "ww", "ww:latest"],
    ["docker.io/yy/zz:1", "docker.io/yy/zz:1", "yy/zz", "yy/zz:1"],
    ["index.docker.io/yy/zz:1", "docker.io/yy/zz:1", "yy/zz", "yy/zz:1"],
    ["index.docker.io/zz", "docker.io/library/zz", "zz", "zz:latest"],
    ["docker.io/library/a/b:1", "docker.io/library/a/b:1", "library/a/b", "library/a/b:1"],
    ["localhost/x", "localhost/x", "localhost/x", "localhost/x:latest"],
    ["localhost:5000/x", "localhost:5000/x", "localhost:5000/x", "localhost:5000/x:latest"],
    ["localhost:5000", "docker.io/library/localhost:5000", "localhost", "localhost:5000"],
    [`a.b/c@${DIGEST}`, `a.b/c@${DIGEST}`, "a.b/c", `a.b/c@${DIGEST}`],
    [`c:1@${DIGEST}`, `docker.io/library/c:1@${DIGEST}`, "c", `c:1@${DIGEST}`],
    ["sha256:x", "docker.io/library/sha256:x", "sha256", "sha256:x"],
    [`${HEX}:x`, `docker.io/library/${HEX}:x`, HEX, `${HEX}:x`],
    ["a__b/c--d.e_f", "docker.io/a__b/c--d.e_f", "a__b/c--d.e_f", "a__b/c--d.e_f:latest"],
    ["Foo/bar", "Foo/bar", "Foo/bar", "Foo/bar:latest"],
    ["[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x:latest"],
    ["a_b.c/x", "a_b.c/x", "a_b.c/x", "a_b.c/x:latest"],
    ["A-b.C/x", "A-b.C/x", "A-b.C/x", "A-b.C/x:latest"],
  ])("%s is %s, stored under %s as %s", (text, canonical, name, stored) => {
    const reference = parseNormalized(text);
    expect(canonicalString(reference)).toBe(canonical);
    expect(familiarName(reference)).toBe(name);
    expect(familiarString(withDefaultTag(reference))).toBe(stored);
  });

  const lowercase = "invalid reference format: repository name must be lowercase";
  const format = "invalid reference format";
  test.each([
    [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
    ["", format],
    ["Foo", lowercase],
    ["a/Foo", lowercase],
    [`x@SHA256:${HEX}`, lowercase],
    ["foo:", format],
    ["a._b", format],
    ["a___b", format],
    ["-a", format],
    ["a-", format],
    ["a//b", format],
    ["a/", format],
    ["/a", format],
    ["a b", format],
    ["a\n", format],
    ["a:b\n", format],
    ["ä", format],
    ["a..b/c", format],
    ["-a.b/c", format],
    ["a.b:port/c", format],
    [`a:${"t".repeat(129)}`, format],
    ["a:.t", format],
    ["a@sha256:abc", format],
    [`a@sha256:${"0".repeat(31)}`, format],
    [`a@md5:${"0".repeat(32)}`, "unsupported digest algorithm"],
    [`a@sha256:${"0".repeat(32)}`, "invalid checksum digest length"],
    [`a@sha256:${"A".repeat(64)}`, "invalid checksum digest format"],
    ["a".repeat(256), "repository name must not be more than 255 characters"],
    ["a".repeat(5000), format],
  ])("%j is refused: %s", (text, message) => {
    expect(() => parseNormalized(text)).toThrow(message);
    expect(caught(() => parseNormalized(text))).toMatchObject({ code: "invalid-reference", message });
  });

  test("the canonical spelling reads back as the same reference", () => {
    fc.assert(
      fc.property(referenceTexts, (text) => {
        const reference = parseNormalized(text);
        expect(parseNormalized(canonicalString(reference))).toEqual(reference);
        expect(canonicalString(reference).startsWith(canonicalName(reference))).toBe(true);
      }),
    );
  });

  test("the familiar spelling reads back as the same reference, unless its first part looks like a domain", () => {
    fc.assert(
      fc.property(referenceTexts, (text) => {
        const reference = parseNormalized(text);
        const short = familiarString(reference);
        const first = familiarName(reference).split("/")[0]!;
        const isHub = reference.domain === "docker.io" && familiarName(reference).includes("/");
        if (isHub && (first.includes(".") || first === "localhost"))
          expect(familiarString(parseNormalized(short))).toBe(short);
        else expect(parseNormalized(short)).toEqual(reference);
      }),
    );
  });
});

describe("grammar", () => {
  test("agrees with a recogniser that tries every way to read a text", () => {
    fc.assert(
      fc.property(nearMisses, (text) => {
        expect(matchReference(text)).toEqual(readEveryWay(text));
      }),
      { numRuns: 1500 },
    );
  });

  test("no text makes anything but a reference or an invalid-reference error", () => {
    for (const parse of [parseNormalized, parseReference, parseAny])
      fc.assert(
        fc.property(fc.oneof(nearMisses, fc.string({ unit: "binary" })), (text) => {
          const error = caught(() => parse(text));
          expect(error === undefined || isVarveError(error, "invalid-reference")).toBe(true);
        }),
      );
  });

  test.each(["a".repeat(1e6), "a-".repeat(1e6), "a/".repeat(1e6), `${"-".repeat(2000)}a`, `a${"-".repeat(4000)}.`])(
    "a long text is refused at once",
    (text) => {
      const start = performance.now();
      expect(() => parseNormalized(text)).toThrow();
      expect(performance.now() - start).toBeLessThan(500);
    },
  );

  test("a name without defaults keeps an empty domain", () => {
    expect(parseReference("ubuntu:1")).toEqual({ domain: "", path: "ubuntu", tag: "1" });
    expect(parseReference("a/b")).toEqual({ domain: "a", path: "b" });
    expect(canonicalString(parseReference("ubuntu:1"))).toBe("ubuntu:1");
    expect(() => parseReference("")).toThrow("repository name must have at least one component");
    expect(() => parseReference("Ubuntu")).toThrow("repository name must be lowercase");
  });
});

describe("a reference", () => {
  const reference = parseNormalized("a.b/c:1");

  test("gets another tag or digest in place of what it had", () => {
    expect(familiarString(withTag(reference, "2"))).toBe("a.b/c:2");
    expect(familiarString(withDigest(reference, DIGEST))).toBe(`a.b/c@${DIGEST}`);
    expect(familiarString(trimmed(reference))).toBe("a.b/c");
    expect(() => withTag(reference, "a b")).toThrow("invalid tag format");
    expect(() => withTag(reference, "")).toThrow("invalid tag format");
  });

  test("gets the default tag only when nothing narrows it", () => {
    expect(isNameOnly(trimmed(reference))).toBe(true);
    expect(isNameOnly(reference)).toBe(false);
    expect(withDefaultTag(reference)).toBe(reference);
    expect(withDefaultTag(withDigest(reference, DIGEST)).tag).toBeUndefined();
    expect(withDefaultTag(trimmed(reference)).tag).toBe("latest");
  });

  test("is told from a full image id", () => {
    expect(parseAny(HEX)).toEqual({ kind: "id", id: DIGEST });
    expect(parseAny(DIGEST)).toEqual({ kind: "id", id: DIGEST });
    expect(parseAny(HEX.slice(1))).toMatchObject({ kind: "reference" });
    expect(parseAny("sha256:abc")).toEqual({ kind: "reference", reference: parseNormalized("sha256:abc") });
  });
});

const nearMisses = fc
  .array(
    fc.constantFrom(
      "a",
      "b0",
      "A",
      ".",
      "_",
      "-",
      "/",
      ":",
      "@",
      "[",
      "]",
      "localhost",
      "docker.io",
      "library/",
      DIGEST,
    ),
    { maxLength: 9 },
  )
  .map((parts) => parts.join(""));

const pathComponents = fc.stringMatching(/^[a-z0-9]{1,3}((\.|_|__|-{1,3})[a-z0-9]{1,3}){0,2}$/);
const domains = fc.oneof(
  fc.constantFrom("docker.io", "index.docker.io", "localhost", "library", "[::1]", "Reg"),
  fc.stringMatching(/^[a-zA-Z0-9]{1,3}(-[a-z]{1,2})?\.[a-z]{1,3}(:[0-9]{1,4})?$/),
);
const referenceTexts: fc.Arbitrary<string> = fc
  .record({
    domain: fc.option(domains),
    path: fc.array(fc.oneof(pathComponents, fc.constant("library")), { minLength: 1, maxLength: 3 }),
    tag: fc.option(fc.stringMatching(/^[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,5}$/)),
    digest: fc.option(fc.constant(DIGEST)),
  })
  .map(
    ({ domain, path, tag, digest }) =>
      [...(domain === null ? [] : [domain]), ...path].join("/") +
      (tag === null ? "" : `:${tag}`) +
      (digest === null ? "" : `@${digest}`),
  );

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** FORMATS 4.3 rule by rule; each reader gives every place where it can end. The domain is taken wherever it can be. */
function readEveryWay(text: string): ReturnType<typeof matchReference> {
  const alnum = (set: RegExp) => one((c) => set.test(c));
  const domainComponent = oneOf(
    alnum(/[a-zA-Z0-9]/),
    sequence(alnum(/[a-zA-Z0-9]/), many(alnum(/[a-zA-Z0-9-]/)), alnum(/[a-zA-Z0-9]/)),
  );
  const name = sequence(domainComponent, many(sequence(word("."), domainComponent)));
  const address = sequence(word("["), some(alnum(/[0-9a-fA-F:]/)), word("]"));
  const digits = some(alnum(/[0-9]/));
  const domain = sequence(oneOf(name, address), oneOf(word(""), sequence(word(":"), digits)));
  const separator = oneOf(word("."), word("_"), word("__"), some(word("-")));
  const run = some(alnum(/[a-z0-9]/));
  const component = sequence(run, many(sequence(separator, run)));
  const path = sequence(component, many(sequence(word("/"), component)));
  const tag = sequence(alnum(/[a-zA-Z0-9_]/), many(alnum(/[a-zA-Z0-9_.-]/)));
  const algorithmPart = sequence(alnum(/[a-zA-Z]/), many(alnum(/[a-zA-Z0-9]/)));
  const algorithm = sequence(algorithmPart, many(sequence(alnum(/[-+._]/), algorithmPart)));
  const digest = sequence(algorithm, word(":"), some(alnum(/[0-9a-fA-F]/)));

  for (const [d, start] of [...cuts(domain, "/"), ["", 0] as const])
    for (const pathEnd of path(text, start))
      for (const [t, tagEnd] of suffixes(tag, ":", pathEnd))
        for (const [g, end] of suffixes(digest, "@", tagEnd))
          if (end === text.length && (t?.length ?? 0) <= 128 && (g === undefined || g.length - g.lastIndexOf(":") > 32))
            return { domain: d, path: text.slice(start, pathEnd), tag: t, digest: g };
  return undefined;

  function cuts(reader: Reader, mark: string): [string, number][] {
    return [...reader(text, 0)].filter((end) => text[end] === mark).map((end) => [text.slice(0, end), end + 1]);
  }
  function suffixes(reader: Reader, mark: string, at: number): [string | undefined, number][] {
    if (text[at] !== mark) return [[undefined, at]];
    return [...reader(text, at + 1)].map((end) => [text.slice(at + 1, end), end]);
  }
}

const union = (sets: readonly Set<number>[]): Set<number> => new Set(sets.flatMap((set) => [...set]));
type Reader = (text: string, at: number) => Set<number>;
const one =
  (accepts: (character: string) => boolean): Reader =>
  (text, at) =>
    new Set(at < text.length && accepts(text[at]!) ? [at + 1] : []);
const word =
  (expected: string): Reader =>
  (text, at) =>
    new Set(text.startsWith(expected, at) ? [at + expected.length] : []);
const oneOf =
  (...readers: Reader[]): Reader =>
  (text, at) =>
    union(readers.map((reader) => reader(text, at)));
const sequence =
  (...readers: Reader[]): Reader =>
  (text, at) =>
    readers.reduce((ends, reader) => union(Array.from(ends, (end) => reader(text, end))), new Set([at]));
const many =
  (reader: Reader): Reader =>
  (text, at) => {
    const ends = new Set([at]);
    for (const end of ends) for (const next of reader(text, end)) ends.add(next);
    return ends;
  };
const some = (reader: Reader): Reader => sequence(reader, many(reader));
