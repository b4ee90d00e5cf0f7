import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Digest, digestOf } from "../../src/digest/digest.ts";
import type { VarveError } from "../../src/errors.ts";
import { familiarString, parseNormalized } from "../../src/reference/reference.ts";
import { ReferenceStore } from "../../src/reference/reference-store.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker");
const HEX = "0123456789abcdef".repeat(4);
const DIGEST = `sha256:${HEX}`;

describe.skipIf(lack)(`tags beside a dockerd${lack ?? ""}`, () => {
  let scratch: string;
  let daemon: Dockerd;
  let image: Digest;
  let ours: ReferenceStore;

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-tags-"));
    daemon = await start({ root: join(scratch, "data") });
    image = (await daemon.docker(["import", "-", "seed:1"], { input: Buffer.alloc(1024) })).toString().trim() as Digest;
    ours = ReferenceStore.open(join(scratch, "repositories.json"), { sync: false });
    ours.addTag(parseNormalized("seed:1"), image);
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  const file = (): string => readFileSync(join(daemon.root, "image/overlay2/repositories.json"), "utf8");
  const ourFile = (): string => readFileSync(join(scratch, "repositories.json"), "utf8");

  test.each([
    ...["ubuntu", "library/ww", "docker.io/yy/zz:1", "docker.io/library/a/b:1", "localhost/x", "localhost:5000/x:Y"],
    ...["index.docker.io/q", "a.b/c", "a__b/c--d.e_f", "scratch:y", "127.0.0.1:5055/foo/tiny:c1"],
    ...[
      "docker.io/a.b/c:1",
      "docker.io/a_b.c/d",
      "a_b.d/e:1",
      "A-b.C:1/x",
      "a:_t",
      "localhost:5000",
      "sha256:x",
      "sha256",
      "docker.io/library/sha256:x",
    ],
    ...[
      HEX,
      "Foo",
      "a/Foo",
      "localhost/Foo",
      "a:",
      "a._b",
      "a___b",
      "-a",
      "a-",
      "a//b",
      "a/",
      "/a",
      "a b",
      "ä",
      "a..b/c",
    ],
    ...["-a.b/c", "a.b:port/c", `a:${"t".repeat(129)}`, "a:.t", "a@sha256:abc", `x@SHA256:${HEX}`],
    ...[
      `a@md5:${HEX.slice(32)}`,
      `a@sha256:${HEX.slice(32)}`,
      `a@sha256:${HEX.toUpperCase()}`,
      `a@${DIGEST}`,
      `a:b@${DIGEST}`,
    ],
    ...["a".repeat(256), "a".repeat(235)],
  ])("docker tag and we say the same of %s", async (name) => {
    expect(tagHere(name)).toBe(await docker("tag", "seed:1", name));
    expect(ourFile()).toBe(file());
  });

  test.each(["[::1]:5000/x", "Foo/bar", `a.b/${"a".repeat(253)}`])(
    "%s is a name for newer versions of Docker only",
    async (name) => {
      expect(await docker("tag", "seed:1", name)).toContain("Error parsing reference");
      expect(familiarString(parseNormalized(name))).toBe(name);
    },
  );

  test("an image id with a tag behind it is a name", async () => {
    // The client sends name and tag apart, and the daemon refuses the name alone.
    expect(await docker("tag", "seed:1", `${HEX}:x`)).toContain("cannot specify 64-byte hexadecimal strings");
    expect(await tagThere(`${HEX}:x`)).toBe("");
    expect(tagHere(`${HEX}:x`)).toBe("");
    expect(ourFile()).toBe(file());
  });

  test("the daemon and we say the same of hundreds of names that are nearly right", async () => {
    const parts = [
      "a",
      "b0",
      "A",
      ".",
      "_",
      "-",
      "/",
      ":",
      "@",
      "localhost",
      "docker.io",
      "library/",
      "sha256",
      DIGEST,
    ];
    const names = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 }).map((list) => list.join(""));
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(names, async (name) => {
        if (!isForAllVersions(name)) return;
        const here = tagHere(name);
        if (here === "") accepted++;
        expect(here).toBe(await tagThere(name));
      }),
      { numRuns: 400 },
    );
    expect(accepted).toBeGreaterThan(20);
    expect(ourFile()).toBe(file());
  });

  test("after tags moved and went, the file has the same bytes", async () => {
    const other = (await daemon.docker(["import", "-", "other:1"], { input: Buffer.alloc(2048) })).toString().trim();
    ours.addTag(parseNormalized("other:1"), other as Digest);
    await daemon.docker(["tag", "other:1", "ubuntu"]);
    ours.addTag(parseNormalized("ubuntu"), other as Digest, { force: true });
    for (const name of ["localhost/x", "docker.io/yy/zz:1", "scratch:y", "other:1"]) {
      await daemon.docker(["rmi", name]);
      expect(ours.remove(parseNormalized(name))).toBe(true);
      expect(ourFile()).toBe(file());
    }
    expect(ours.referencesOf(other as Digest).map(familiarString)).toEqual(["ubuntu:latest"]);
  });

  test("digests and oddities of a file that we wrote survive a dockerd as they survive us", async () => {
    await daemon.stop();
    const path = join(daemon.root, "image/overlay2/repositories.json");
    const store = ReferenceStore.open(path, { sync: false });
    store.add(parseNormalized(`a.b/c@${DIGEST}`), image);
    store.add(parseNormalized(`seed@${DIGEST}`), image);
    store.add(parseNormalized("unknown:1"), digestOf("no image"));
    const text = readFileSync(path, "utf8").replace(
      '{"Repositories":{',
      '{ "repositories":{"<odd>":{"no reference!":"","x":"y"},"":null,',
    );
    await rewrite(path, text);
    daemon = await start({ root: join(scratch, "data") });
    const beside = ReferenceStore.open(join(scratch, "beside.json"), { sync: false });
    await rewrite(join(scratch, "beside.json"), text);
    beside.refresh();
    await daemon.docker(["tag", "seed:1", "last:1"]);
    beside.addTag(parseNormalized("last:1"), image);
    expect(readFileSync(join(scratch, "beside.json"), "utf8")).toBe(file());
    const listed = (await daemon.docker(["image", "inspect", "-f", "{{json .RepoDigests}}", "seed:1"])).toString();
    const digests = beside.referencesOf(image).filter(({ digest }) => digest !== undefined);
    expect(digests.map(familiarString)).toEqual(JSON.parse(listed));
  });

  /** What is printed on failure, or nothing. */
  async function docker(...args: string[]): Promise<string> {
    try {
      await daemon.docker(args);
      return "";
    } catch (error) {
      return (error as Error).message.replace(/^.*? ended with 1: /s, "").trim();
    }
  }

  /** Tags here, with the failure as the client would print it. */
  function tagHere(name: string): string {
    try {
      parseNormalized(name);
    } catch (error) {
      return `Error parsing reference: "${name}" is not a valid repository/tag: ${(error as VarveError).message}`;
    }
    try {
      ours.addTag(parseNormalized(name), image, { force: true });
      return "";
    } catch (error) {
      const { message } = error as VarveError;
      return message.includes("digest reference") ? message : `Error response from daemon: ${message}`;
    }
  }

  /** Asks the daemon without its client, which has a parser of its own. */
  async function tagThere(name: string): Promise<string> {
    const path = `/v1.41/images/${image}/tag?repo=${encodeURIComponent(name)}`;
    const { status, body } = await new Promise<{ status: number; body: string }>((resolve, reject) => {
      const asked = request({ socketPath: daemon.socket, path, method: "POST" }, (answer) => {
        let body = "";
        answer.setEncoding("utf8").on("data", (text: string) => {
          body += text;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, body }));
      });
      asked.on("error", reject).end();
    });
    if (status === 201) return "";
    const { message } = JSON.parse(body) as { message: string };
    if (message.startsWith("refusing to create a tag with")) return message;
    if (message.startsWith("refusing")) return `Error response from daemon: ${message}`;
    return `Error parsing reference: "${name}" is not a valid repository/tag: ${message}`;
  }
});

/** Whether all versions of Docker take the first part of the name for the same. */
function isForAllVersions(name: string): boolean {
  const first = name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
  return first.toLowerCase() === first || /[.:]/.test(first) || name.includes("[");
}

async function rewrite(path: string, text: string): Promise<void> {
  const { replaceFile } = await import("../../src/io/atomic-file.ts");
  replaceFile(path, text, { sync: false });
}
