import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { collect } from "../../src/io/byte-source.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { makeTwins, refusalBy, refusalOf, type Twins } from "./twins.ts";

const lack = lacking("root", "dockerd", "docker");

const FILES = tarOf([
  { name: "etc/" },
  { name: "etc/one", content: "of the layer" },
  { name: "to/" },
  { name: "to/own", content: "of the layer" },
  { name: "vol/" },
  { name: "vol/hidden", content: "hidden" },
  { name: "declared/" },
  { name: "declared/own", content: "of the image" },
  { name: "into", type: "2", linkname: "vol/sub" },
  { name: "absolute", type: "2", linkname: "/bound/../vol/file" },
  { name: "away", type: "2", linkname: "to" },
]);

describe.skipIf(lack)(`what is copied out of a container of Varve and of dockerd${lack ?? ""}`, () => {
  let twins: Twins;
  let host: string;

  beforeAll(async () => {
    host = mkdtempSync(join(tmpdir(), "varve-host-"));
    mkdirSync(join(host, "bound/deep"), { recursive: true });
    mkdirSync(join(host, "inner"));
    writeFileSync(join(host, "bound/deep/file"), "bound");
    writeFileSync(join(host, "bound/one"), "one of the host");
    execFileSync("ln", [join(host, "bound/one"), join(host, "bound/twice")]);
    writeFileSync(join(host, "alone"), "bound twice");
    writeFileSync(join(host, "inner/nested"), "nested");
    symlinkSync("bound/deep", join(host, "link"));
    symlinkSync("/etc/passwd", join(host, "bound/passwd"));
    twins = await makeTwins(async ({ docker, root }) => {
      await docker(["import", "-c", "VOLUME /declared", "-c", 'CMD ["x"]', "-", "base:1"], { input: FILES });
      const binds = [
        "data:/vol",
        `${host}/bound:/bound:ro`,
        `${host}/alone:/etc/one`,
        `${host}/alone:/etc/two`,
        `${host}/alone:/etc/three`,
        `${host}/inner:/vol/nested/deeper`,
        `${host}/link:/through`,
        `${host}/inner:/away/in`,
        `${host}/absent:/absent`,
      ];
      const options = binds.flatMap((bind) => ["-v", bind]);
      await docker(["create", "--name", "box", ...options, "--tmpfs", "/memory", "base:1"]);
      rmSync(join(host, "absent"), { recursive: true, force: true });
      mkdirSync(join(root, "volumes/data/_data/sub"));
      writeFileSync(join(root, "volumes/data/_data/file"), "in the volume");
      writeFileSync(join(root, "volumes/data/_data/sub/link"), "in the volume too");
      // It has been tried, so the files about its network are there.
      await docker(["create", "--name", "tried", "--network", "none", "-v", "data:/vol", "base:1"]);
      await docker(["start", "tried"]).catch(() => undefined);
      await docker(["create", "--name", "lost", "--mount", `type=bind,src=${host}/bound,dst=/bound`, "base:1"]);
    });
  });
  afterAll(async () => {
    await twins?.[Symbol.asyncDispose]();
    rmSync(host, { recursive: true, force: true });
  });

  test("leaves no trace, also when it is broken off", async () => {
    const { varve } = twins.roots;
    const find = (): string =>
      execFileSync("find", [varve, "-path", join(varve, "varve"), "-prune", "-o", "-printf", "%P %i %T@ %s\n"], {
        encoding: "utf8",
      });
    const file = join(varve, "volumes/data/_data/file");
    for (const path of [file, join(file, "..")]) utimesSync(path, 1, statSync(path).mtime);
    const [tree, open] = [find(), readdirSync("/proc/self/fd").length];
    utimesSync(join(file, ".."), 1, statSync(join(file, "..")).mtime);
    await collect(twins.store.archive("box", "/"), 1 << 20);
    expect([file, join(file, "..")].map((path) => statSync(path).atimeMs)).toEqual([1000, 1000]);
    expect((await twins.store.list("box", "/vol")).map(({ name }) => name)).toEqual([
      "file",
      "hidden",
      "nested",
      "sub",
    ]);
    for await (const _ of twins.store.archive("box", "/")) break;
    const abort = new AbortController();
    await expect(
      (async () => {
        for await (const _ of twins.store.archive("box", "/", { signal: abort.signal })) abort.abort();
      })(),
    ).rejects.toMatchObject({ code: "cancelled" });
    expect(find()).toBe(tree);
    expect(readdirSync("/proc/self/fd").length).toBe(open);
    expect(readFileSync("/proc/self/mounts", "utf8")).not.toMatch(/varve-(container|view)-/);
  });

  test("fails alike when what must be there is not", async () => {
    renameSync(join(host, "bound"), join(host, "gone"));
    const answer = await twins.api("GET", "/containers/lost/archive?path=/to");
    const refusal = await refusalBy(() => twins.store.stat("lost", "/to"));
    renameSync(join(host, "gone"), join(host, "bound"));
    expect(refusal?.status).toBe(refusalOf(answer)?.status);
    expect(refusal?.message).toBe(`bind source path does not exist: ${host}/bound`);
  });

  test.each([
    ["box", "/vol"],
    ["box", "/vol/file"],
    ["box", "/vol/hidden"],
    ["box", "/into"],
    ["box", "/into/link"],
    ["box", "/into/../file"],
    ["box", "/absolute"],
    ["box", "/bound"],
    ["box", "/bound/deep/file"],
    ["box", "/bound/passwd"],
    ["box", "/etc"],
    ["box", "/etc/one"],
    ["box", "/vol/nested"],
    ["box", "/vol/nested/deeper/nested"],
    ["box", "/through/file"],
    ["box", "/away/in/nested"],
    ["box", "/to"],
    ["box", "/absent"],
    ["box", "/absent/x"],
    ["box", "/declared"],
    ["box", "/memory"],
    ["box", "/"],
    ["tried", "/etc"],
    ["tried", "/etc/hosts"],
    ["tried", "/vol/sub"],
  ])("is the same: %s:%s", async (container, path) => {
    let mine: string[] = [];
    const refusal = await refusalBy(async () => {
      mine = told(await collect(twins.store.archive(container, path), 1 << 20));
    });
    let whole: Buffer | undefined;
    const refusalOfPath = await refusalBy(async () => {
      await using opened = await twins.store.openPath(container, path);
      whole = await collect(opened.tar(), 1 << 20);
    });
    expect(existsSync(join(host, "absent"))).toBe(false);
    const answer = await twins.api("GET", `/containers/${container}/archive?path=${path}`);
    rmSync(join(host, "absent"), { recursive: true, force: true });
    expect(refusal?.status).toBe(refusalOf(answer)?.status);
    expect(refusalOfPath?.status).toBe(refusalOf(answer)?.status);
    if (refusal !== undefined) return;
    expect(mine).toEqual(told(answer.body));
    expect(told(whole!)).toEqual(mine);
  });

  function told(tar: Uint8Array): string[] {
    return readTar(tar)
      .map(({ header, content }) => {
        const { name, type, mode, uid, gid, linkname } = header;
        const [short, link] = [name, type === "1" ? linkname : ""].map((path) => path.replace(/^\.?\//, ""));
        return [short, type, (mode & 0o7777).toString(8), uid, gid, link || linkname, content].join(" ");
      })
      .sort();
  }
});
