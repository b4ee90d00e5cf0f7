import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import { isVarveError } from "../errors.ts";
import { canonicalString, familiarString, parseNormalized } from "./reference.ts";
import { ReferenceStore } from "./reference-store.ts";

const ONE = digestOf("one");
const TWO = digestOf("two");
const DIGEST = digestOf("manifest");

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-references-"));
  path = join(directory, "image", "repositories.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

const open = () => ReferenceStore.open(path, { sync: false });
const ref = parseNormalized;
const text = () => readFileSync(path, "utf8");

/** The store on a file with this text. */
function openOn(json: string): ReferenceStore {
  path = join(directory, "repositories.json");
  writeFileSync(path, json);
  return open();
}

describe("repositories.json", () => {
  test("is the one that dockerd writes", () => {
    const store = open();
    expect(existsSync(path)).toBe(false);
    store.add(ref("tiny:c1"), TWO);
    store.add(ref("docker.io/library/tiny:1"), ONE);
    store.add(ref("127.0.0.1:5055/foo/tiny:c1"), TWO);
    store.add(ref(`127.0.0.1:5055/foo/tiny:c1@${DIGEST}`), TWO);
    store.add(ref("other"), ONE);
    expect(text()).toBe(
      `{"Repositories":{"127.0.0.1:5055/foo/tiny":{"127.0.0.1:5055/foo/tiny:c1":"${TWO}",` +
        `"127.0.0.1:5055/foo/tiny@${DIGEST}":"${TWO}"},"other":{"other:latest":"${ONE}"},` +
        `"tiny":{"tiny:1":"${ONE}","tiny:c1":"${TWO}"}}}`,
    );
    expect(statSync(path).mode & 0o777).toBe(0o600);
    for (const { reference } of store.all()) store.remove(reference);
    expect(text()).toBe('{"Repositories":{}}');
    expect(readdirSync(join(directory, "image"))).toEqual(["repositories.json"]);
  });

  test("is not written when nothing changes", () => {
    const store = open();
    expect(store.add(ref("a"), ONE)).toBe(true);
    rmSync(path);
    expect(store.add(ref("a:latest"), ONE)).toBe(false);
    expect(store.remove(ref("b"))).toBe(false);
    expect(() => store.add(ref("a"), TWO)).toThrow();
    expect(existsSync(path)).toBe(false);
  });

  test("moves many tags in one step, or none of them", () => {
    const store = open();
    store.addTag(ref("a:1"), ONE);
    store.addTag(ref("b:1"), TWO);
    const tags = ["a:1", "b:1", "b:2", "b:2", "c"].map(ref);
    for (const bad of [`b@${DIGEST}`, "sha256:1"]) {
      const before = text();
      expect(() => store.moveTags([...tags, ref(bad)], TWO)).toThrow("refusing to create");
      expect(text()).toBe(before);
    }
    const moved = store.moveTags(tags, TWO).map(({ reference, previous }) => [familiarString(reference), previous]);
    expect(moved).toEqual([
      ["a:1", ONE],
      ["b:2", undefined],
      ["c", undefined],
    ]);
    expect(open().referencesOf(TWO).map(familiarString)).toEqual(["a:1", "b:1", "b:2", "c:latest"]);
    rmSync(path);
    expect(store.moveTags(tags, TWO)).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });

  test("keeps what is odd in it", () => {
    const odd =
      `{"Repositories":{"":{"":"x"},"<b>":{"no reference!":"${ONE}"},"bare":{"bare":"${ONE}"},"empty":{},"gone":null,` +
      `"misfiled":{"c:1":"${ONE}"},"nothing":{"nothing:1":""},"t":{"t:1":"no digest","t:2":"${TWO}"}},` +
      `"Later":{"b": 1.0}}`;
    const store = openOn(`\n${odd.replace("{", "{ ")} trailing`);
    expect(store.all().map(({ reference, id }) => [familiarString(reference), id])).toEqual([["t:2", TWO]]);
    expect(store.find(ref("t:1"))).toBeUndefined();
    expect(store.find(ref("c:1"))).toBeUndefined();
    expect(store.find(ref("nothing:1"))).toBeUndefined();
    store.add(ref("z:1"), ONE);
    store.remove(ref("z:1"));
    expect(text()).toBe(odd.replace("<b>", "\\u003cb\\u003e").replace(" 1.0", "1.0"));
    expect(() => store.add(ref("t:1"), ONE)).toThrow("already set to image no digest");
    store.add(ref("gone:1"), ONE);
    store.add(ref("t:1"), ONE, { force: true });
    expect(store.remove(ref("nothing:1"))).toBe(true);
    expect(store.all()).toHaveLength(3);
  });

  test("is read as Go reads it", () => {
    const store = openOn(
      `{"repositories":{"a":{"a:1":"${ONE}"},"b":{"b:1":"${ONE}"}},"REPOSITORIES":{"b":{"b:2":"${TWO}"},"__proto__":{"__proto__:1":"${ONE}"}}}`,
    );
    expect(store.all().map(({ reference }) => familiarString(reference))).toEqual(["a:1", "b:2"]);
    expect(({} as Record<string, unknown>)["__proto__:1"]).toBeUndefined();
    store.add(ref("c:1"), ONE);
    expect(text()).toContain('"__proto__":{"__proto__:1"');
    expect(openOn('{"Repositories":null}').all()).toEqual([]);
    expect(openOn("null").all()).toEqual([]);
  });

  test.each(["", "{", "[]", '{"Repositories":[]}', '{"Repositories":{"a":1}}', '{"Repositories":{"a":{"a:1":1}}}'])(
    "with %j in it is refused, as dockerd refuses to start",
    (json) => {
      const failure = caught(() => openOn(json));
      expect(failure).toMatchObject({ code: "corrupt", details: { path } });
      expect(readFileSync(path, "utf8")).toBe(json);
    },
  );

  test("makes nothing but a store or a corrupt error, whatever is in it", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((json) => `{"Repositories":${json}}`),
        ),
        (content) => {
          path = join(directory, "repositories.json");
          writeFileSync(path, content);
          const failure = caught(open);
          expect(failure === undefined || isVarveError(failure, "corrupt")).toBe(true);
        },
      ),
    );
  });
});

describe("references", () => {
  test("are found by name and tag, or by digest alone", () => {
    const store = open();
    store.add(ref("a"), ONE);
    store.add(ref(`a@${DIGEST}`), TWO);
    expect(store.get(ref("a"))).toBe(ONE);
    expect(store.get(ref("docker.io/library/a:latest"))).toBe(ONE);
    expect(store.get(ref(`a:latest@${DIGEST}`))).toBe(TWO);
    expect(() => store.get(ref("a:2"))).toThrow(
      expect.objectContaining({ code: "not-found", message: "reference does not exist" }),
    );
    expect(store.find(ref(`b@${DIGEST}`))).toBeUndefined();
  });

  test("are refused with Docker's words", () => {
    const store = open();
    store.add(ref("a:1"), ONE);
    store.add(ref(`a@${DIGEST}`), ONE);
    const refused = (work: () => unknown) => caught(work) as { code: string; message: string };
    expect(refused(() => store.addTag(ref(`a:1@${DIGEST}`), ONE))).toMatchObject({
      code: "invalid-reference",
      message: "refusing to create a tag with a digest reference",
    });
    expect(refused(() => store.add(ref("sha256:x"), ONE))).toMatchObject({
      code: "invalid-reference",
      message: "refusing to create an ambiguous tag using digest algorithm as name",
    });
    expect(refused(() => store.add(ref("a:1"), TWO))).toMatchObject({
      code: "conflict",
      message: `Conflict: Tag a:1 is already set to image ${ONE}, if you want to replace it, please use the force option`,
    });
    expect(refused(() => store.add(ref(`a@${DIGEST}`), TWO, { force: true }))).toMatchObject({
      code: "conflict",
      message: `Cannot overwrite digest ${DIGEST}`,
    });
    expect(store.addTag(ref("a:1"), TWO, { force: true })).toBe(true);
    expect(store.get(ref("a:1"))).toBe(TWO);
    expect(store.addTag(ref("registry/sha256:x"), ONE)).toBe(true);
  });

  test("of an image or a name come sorted by their canonical spelling", () => {
    const store = open();
    for (const name of ["b", "docker.io/a/c", "z.z/a", "a", "0.0/a", "b:2", "c.c/a"]) store.add(ref(name), ONE);
    store.add(ref(`b@${DIGEST}`), ONE);
    store.add(ref("b:3"), TWO);
    expect(store.referencesOf(ONE).map(canonicalString)).toEqual([
      "0.0/a:latest",
      "c.c/a:latest",
      "docker.io/a/c:latest",
      "docker.io/library/a:latest",
      "docker.io/library/b:2",
      "docker.io/library/b:latest",
      `docker.io/library/b@${DIGEST}`,
      "z.z/a:latest",
    ]);
    expect(store.byName(ref("b:whatever")).map(({ reference, id }) => [familiarString(reference), id])).toEqual([
      ["b:2", ONE],
      ["b:3", TWO],
      ["b:latest", ONE],
      [`b@${DIGEST}`, ONE],
    ]);
    expect(store.byName(ref("none"))).toEqual([]);
    expect(store.referencesOf(digestOf("none"))).toEqual([]);
  });

  test("that are one for short are one", () => {
    const store = open();
    store.add(ref("docker.io/a_b.c/d:1"), ONE);
    store.add(ref("docker.io/a.b/c:1"), ONE);
    expect(store.add(ref("a.b/c:1"), ONE)).toBe(false);
    for (const view of [store, open()]) {
      expect(view.referencesOf(ONE).map(canonicalString)).toEqual(["a.b/c:1", "a_b.c/d:1"]);
      expect(view.find(ref("docker.io/a_b.c/d:1"))).toBe(ONE);
    }
    for (const reference of store.referencesOf(ONE)) expect(store.remove(reference)).toBe(true);
    expect(text()).toBe('{"Repositories":{}}');
  });

  test("of another process are seen after a refresh, and a broken file leaves memory alone", () => {
    const [store, other] = [open(), open()];
    other.add(ref("a"), ONE);
    expect(store.find(ref("a"))).toBeUndefined();
    store.refresh();
    expect(store.find(ref("a"))).toBe(ONE);
    writeFileSync(path, "{");
    expect(() => store.refresh()).toThrow(expect.objectContaining({ code: "corrupt" }));
    expect(store.find(ref("a"))).toBe(ONE);
    rmSync(path);
    store.refresh();
    expect(store.all()).toEqual([]);
  });

  test("survive every sequence of changes as a map would hold them", () => {
    const names = ["a:1", "a:2", "a", "b/c:1", "localhost/a:1", `a@${DIGEST}`, `b/c@${DIGEST}`];
    const step = fc.tuple(
      fc.constantFrom("add", "force", "remove"),
      fc.constantFrom(...names),
      fc.constantFrom(ONE, TWO),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
        rmSync(path, { force: true });
        const store = open();
        const model = new Map<string, string>();
        for (const [verb, name, id] of steps) {
          const before = model.get(name);
          if (verb === "remove") {
            expect(store.remove(ref(name))).toBe(before !== undefined);
            model.delete(name);
          } else {
            const refused = before !== undefined && before !== id && (verb === "add" || name.includes("@"));
            const failure = caught(() => store.add(ref(name), id, { force: verb === "force" }));
            expect(failure !== undefined).toBe(refused);
            if (!refused) model.set(name, id);
          }
        }
        for (const view of [store, open()]) {
          for (const name of names) expect(view.find(ref(name))).toBe(model.get(name));
          expect(view.all()).toHaveLength(model.size);
          expect(view.referencesOf(ONE)).toHaveLength([...model.values()].filter((id) => id === ONE).length);
        }
      }),
      { numRuns: 50 },
    );
  });
});

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
