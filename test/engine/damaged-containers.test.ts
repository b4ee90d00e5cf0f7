import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/index.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

describe.skipIf(lack)(`containers whose records are damaged${lack ?? ""}`, () => {
  let root = "";
  let store: Store;
  const warnings: string[] = [];
  const ids: Record<string, string> = {};
  const write = (name: string, file: string, text: string): void =>
    writeFileSync(join(root, "containers", ids[name]!, file), text);

  beforeAll(async () => {
    root = mkdtempSync(join(tmpdir(), "varve-damaged-"));
    store = await openStore({ root, driver: "overlay2", onWarning: (message) => warnings.push(message) });
    await store.import(Readable.from([tarOf([{ name: "file" }])]), { reference: "base", changes: ['CMD ["x"]'] });
    for (const name of ["whole", "bare", "host", "odd"]) ids[name] = await store.create("base", { name });
    rmSync(join(root, "containers", ids.bare!, "hostconfig.json"));
    write("host", "hostconfig.json", '{"Network');
    write("odd", "config.v2.json", '{"Name":"/odd","Image":"sha256:0","Args":"x","MountPoints":{"/a":7}}');
  });
  afterAll(async () => {
    await store?.close();
    rmSync(root, { recursive: true, force: true });
  });

  test("hide no others: lists and sizes leave out what cannot be read, and say so", async () => {
    expect((await store.containers({ size: true })).map(({ name }) => name)).toEqual(["host", "bare", "whole"]);
    expect((await store.inspectContainers()).map(({ Name }) => Name)).toEqual(["/bare", "/whole"]);
    expect((await store.df()).containers.total).toBe(3);
    expect(await store.volumes({ size: true })).toEqual([]);
    expect(warnings).toContain(`container ${ids.odd}: config.v2.json is not a container record, by its Args`);
    expect(warnings).toContain(`container ${ids.host}: its host config cannot be read`);
  });

  test("can be renamed and deleted, as far as they are found", async () => {
    await expect(store.inspectContainer("host")).rejects.toMatchObject({ code: "corrupt" });
    await expect(store.inspectContainer("odd")).rejects.toMatchObject({ code: "not-found" });
    await store.rename("bare", "odd");
    expect((await store.pruneContainers()).removed.sort()).toEqual([ids.whole, ids.bare, ids.host].sort());
    expect(await store.containers()).toEqual([]);
  });
});
