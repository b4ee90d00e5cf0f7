import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { makeV1Graph, type V1Image } from "../../src/testing/v1-graph.ts";
import { harmV1Image, litterV1Graph, tieV1Images } from "../../src/testing/v1-harm.ts";
import { makeLargeV1Graph } from "../../src/testing/v1-large.ts";
import { type V1Driver, v1TreeOf } from "../../src/testing/v1-trees.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");
const DRIVERS: readonly V1Driver[] = ["overlay2", "vfs"];
const [BASE, HEAD, BOX] = ["b", "c", "d"].map((letter) => letter.repeat(64)) as [string, string, string];
const LAYER = tarOf([{ name: "etc/" }, { name: "etc/motd", content: "hello" }]);

describe.skipIf(lack).each(DRIVERS)(`a v1 graph made for %s${lack ?? ""}`, (driver) => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "v1-forms-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const entry = (id: string, name: string): string => readFileSync(join(root, "graph", id, name), "utf8");
  const json = (id: string): Record<string, unknown> => JSON.parse(entry(id, "json"));
  const make = (head: Partial<V1Image>): void =>
    void makeV1Graph(root, {
      driver,
      images: [
        { id: BASE, layer: LAYER },
        { id: HEAD, parent: BASE, layer: tarOf([{ name: "etc/.wh.motd" }]), ...head },
      ],
    });

  test("names an image and its parent in the json", () => {
    make({});
    expect(json(BASE)).toMatchObject({ id: BASE, docker_version: "1.9.1", Size: 5 });
    expect(json(BASE)).not.toHaveProperty("parent");
    expect(json(HEAD)).toMatchObject({ id: HEAD, parent: BASE });
    expect(readdirSync(join(root, "graph", HEAD)).sort()).toEqual(["json", "layersize", "tar-data.json.gz"]);
    expect(readdirSync(join(root, "graph")).sort()).toEqual(["_tmp", BASE, HEAD]);
  });

  test("names them by digests, in sorted keys", () => {
    make({ layout: "digests" });
    const layer_id = `sha256:${createHash("sha256")
      .update(gzipSync(tarOf([{ name: "etc/.wh.motd" }])))
      .digest("hex")}`;
    expect(json(HEAD)).toMatchObject({ parent_id: `sha256:${BASE}`, layer_id });
    for (const member of ["id", "parent", "Size"]) expect(json(HEAD)).not.toHaveProperty(member);
    expect(Object.keys(json(HEAD))).toEqual(Object.keys(json(HEAD)).sort());
  });

  test.each(["ids", "digests"] as const)("has the true parent in a file beside a json with %s", (layout) => {
    make({ layout, parentFile: true });
    expect(entry(HEAD, "parent")).toBe(BASE);
    expect(entry(HEAD, "json")).not.toContain(BASE);
  });

  test("has no file that its description denies, and those that it asks for", () => {
    make({ tarData: false, layerSize: false, checksum: "tarsum", v1Compatibility: true });
    expect(readdirSync(join(root, "graph", HEAD)).sort()).toEqual(["checksum", "json", "v1Compatibility"]);
    expect(entry(HEAD, "checksum")).toMatch(/^tarsum\.v1\+sha256:[0-9a-f]{64}$/);
    expect(JSON.parse(entry(HEAD, "v1Compatibility"))).toMatchObject({ id: HEAD, parent: BASE });
  });

  test("takes members from its description, unknown ones too", () => {
    make({ fields: { docker_version: "1.7.0", odd: [1], os: undefined } });
    expect(json(HEAD)).toMatchObject({ docker_version: "1.7.0", odd: [1] });
    expect(json(HEAD)).not.toHaveProperty("os");
  });

  test("has containers with and without an init tree, and tags as they are told", () => {
    const tags = { "host:5000/app": { latest: BASE, [`sha256:${BASE}`]: BASE }, "No Name": { a: BASE } };
    const containers = [
      { id: HEAD, image: BASE, changes: tarOf([{ name: "new", content: "n" }]) },
      { id: BOX, image: BASE, init: false, fields: { Driver: undefined } },
    ];
    makeV1Graph(root, { driver, images: [{ id: BASE, layer: LAYER }], containers, tags });
    expect(readFileSync(join(v1TreeOf(root, driver, HEAD), "new"), "utf8")).toBe("n");
    expect(existsSync(join(v1TreeOf(root, driver, `${HEAD}-init`), ".dockerinit"))).toBe(true);
    expect(existsSync(v1TreeOf(root, driver, `${BOX}-init`))).toBe(false);
    const config = (id: string): unknown =>
      JSON.parse(readFileSync(join(root, "containers", id, "config.json"), "utf8"));
    expect(config(HEAD)).toMatchObject({ ID: HEAD, Image: BASE, Driver: driver });
    expect(config(BOX)).not.toHaveProperty("Driver");
    expect(existsSync(join(root, "containers", BOX, "hostconfig.json"))).toBe(true);
    expect(JSON.parse(readFileSync(join(root, `repositories-${driver}`), "utf8"))).toEqual({ Repositories: tags });
  });

  test("is harmed in one thing at a time", () => {
    const before = (): void => {
      rmSync(root, { recursive: true });
      make({});
    };
    before();
    harmV1Image(root, driver, HEAD, "json-cut");
    expect(() => json(HEAD)).toThrow();
    before();
    harmV1Image(root, driver, HEAD, "other-id");
    expect(json(HEAD).id).toMatch(/^0+1$/);
    before();
    harmV1Image(root, driver, HEAD, "parent-missing");
    expect(json(HEAD).parent).toMatch(/^0+1$/);
    before();
    harmV1Image(root, driver, BASE, "own-parent");
    expect(json(BASE).parent).toBe(BASE);
    before();
    harmV1Image(root, driver, HEAD, "tree-missing");
    expect(existsSync(v1TreeOf(root, driver, HEAD))).toBe(false);
    before();
    harmV1Image(root, driver, BASE, "file-changed");
    expect(readFileSync(join(v1TreeOf(root, driver, BASE), "etc/motd"), "latin1")).toBe("\x97ello");
    before();
    harmV1Image(root, driver, BASE, "tar-data-cut");
    expect(() => gunzipSync(readFileSync(join(root, "graph", BASE, "tar-data.json.gz")))).toThrow();
    before();
    tieV1Images(root, BASE, HEAD);
    expect([json(BASE).parent, json(HEAD).parent]).toEqual([HEAD, BASE]);
    before();
    litterV1Graph(root);
    expect(readdirSync(join(root, "graph"))).toHaveLength(7);
  });

  test("is made large out of many small images", () => {
    const made = makeLargeV1Graph(root, driver, { images: 25, files: 2, fileSize: 100 });
    expect(made.size).toBe(25);
    const ids = [...made.keys()];
    expect(json(ids[1]!).parent).toBe(ids[0]);
    expect(json(ids[10]!)).not.toHaveProperty("parent");
    expect(readdirSync(v1TreeOf(root, driver, ids[9]!))).toHaveLength(driver === "vfs" ? 20 : 2);
    const { Repositories } = JSON.parse(readFileSync(join(root, `repositories-${driver}`), "utf8"));
    expect(Repositories).toEqual({ large: { 9: ids[9], 19: ids[19], 24: ids[24] } });
  });
});
