import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { openStore } from "../../src/engine/store.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { dockerArchive } from "../fstree/docker-archive.ts";
import { type ApiRequest, ask } from "../tools/engine-api.ts";
import { startDaemon } from "../tools/varve-daemon.ts";

/** How long the clients go on; more finds more. */
const SECONDS = Number(process.env.VARVE_SOAK_SECONDS ?? 8);
const CLIENTS = 200;

const root = mkdtempSync(join(tmpdir(), "varve-clients-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const layer = (name: number): Buffer => tarOf([{ name: `${name}`, content: `${name}`.repeat(20_000) }]);
const ARCHIVES = [[0, 1], [0, 2], [3]].map((layers, i) => dockerArchive(`image${i}`, layers.map(layer)));

/** What clients do at random, with the statuses that dockerd would give as well. */
const ACTIONS: readonly (readonly [make: () => ApiRequest, statuses: readonly number[]])[] = [
  [() => ({ method: "GET", path: "/_ping" }), [200]],
  [() => ({ method: "GET", path: "/images/json?all=1" }), [200]],
  [() => ({ method: "GET", path: `/images/${name()}/json` }), [200, 404]],
  [() => ({ method: "GET", path: `/images/${name()}/history` }), [200, 404]],
  [() => ({ method: "GET", path: `/images/${name()}/get` }), [200, 404]],
  [() => ({ method: "GET", path: "/system/df" }), [200]],
  [() => ({ method: "POST", path: "/images/load?quiet=1", body: pick(ARCHIVES) }), [200]],
  [() => ({ method: "POST", path: `/images/${name()}/tag?repo=tag${number(5)}` }), [201, 404]],
  [() => ({ method: "DELETE", path: `/images/${name()}` }), [200, 404, 409]],
  [() => ({ method: "DELETE", path: `/images/tag${number(5)}?force=1` }), [200, 404, 409]],
  [() => ({ method: "POST", path: "/images/prune" }), [200]],
  [
    () => ({ method: "POST", path: `/containers/create?name=${container()}`, ...document({ Image: name() }) }),
    [201, 404, 409],
  ],
  [() => ({ method: "GET", path: "/containers/json?all=1&size=1" }), [200]],
  [() => ({ method: "GET", path: `/containers/${container()}/json` }), [200, 404]],
  [() => ({ method: "GET", path: `/containers/${container()}/changes` }), [200, 404]],
  [() => ({ method: "GET", path: `/containers/${container()}/export` }), [200, 404]],
  [() => ({ method: "GET", path: `/containers/${container()}/archive?path=/` }), [200, 404]],
  [() => ({ method: "PUT", path: `/containers/${container()}/archive?path=/`, body: layer(number(9)) }), [200, 404]],
  [() => ({ method: "POST", path: `/commit?container=${container()}&repo=tag${number(5)}` }), [201, 404]],
  [() => ({ method: "POST", path: `/containers/${container()}/rename?name=${container()}` }), [204, 400, 404, 409]],
  [() => ({ method: "DELETE", path: `/containers/${container()}?v=1` }), [204, 404, 409]],
  [() => ({ method: "DELETE", path: `/containers/${container()}?force=1` }), [204, 404, 409]],
];

test(`${CLIENTS} clients at once get answers, and leave a whole store`, async () => {
  await using daemon = await startDaemon(root, []);
  await Promise.all(ARCHIVES.map((body) => ask(daemon.socket, { method: "POST", path: "/images/load", body })));
  const descriptors = (): number => readdirSync(`/proc/${daemon.child.pid}/fd`).length;
  const before = descriptors();
  const end = Date.now() + SECONDS * 1000;
  const wrong: string[] = [];
  let answers = 0;
  const client = async (): Promise<void> => {
    while (Date.now() < end) {
      const [make, statuses] = pick(ACTIONS);
      const request = make();
      const { status, body } = await ask(daemon.socket, request);
      answers++;
      const said = body.subarray(0, 300).toString();
      if (!statuses.includes(status) || said.includes("errorDetail"))
        wrong.push(`${request.method} ${request.path}: ${status} ${said}`);
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  const [, resident] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${daemon.child.pid}/status`, "utf8"))!;
  console.log(`${answers} answers, ${Math.round(Number(resident) / 1024)} MiB in memory`);
  expect(Number(resident) / 1024).toBeLessThan(400);
  expect(wrong.slice(0, 5)).toEqual([]);
  expect((await ask(daemon.socket, { method: "POST", path: "/containers/prune" })).status).toBe(200);
  // Every lock that is held between two requests has one; those of clients are gone.
  expect(descriptors()).toBeLessThanOrEqual(before + 5);
  expect((await daemon.stop()).status).toBe(0);

  await using store = await openStore({ root });
  const images = await store.images({ all: true });
  for (const { id } of images) for await (const _ of store.save([id]));
  expect((await store.info()).broken).toEqual([]);
  const used = await Promise.all(images.map(({ id }) => store.layers(id)));
  const chains = new Set(used.flatMap((stack) => stack.map(({ chainID }) => chainID.slice("sha256:".length))));
  const records = join(root, "image", store.driver, "layerdb/sha256");
  expect(readdirSync(records).sort()).toEqual([...chains].sort());
  const trees = [...chains].map((chain) => readFileSync(join(records, chain, "cache-id"), "utf8"));
  expect(
    readdirSync(join(root, store.driver))
      .filter((tree) => tree !== "l")
      .sort(),
  ).toEqual(trees.sort());
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
  expect(readdirSync(join(root, "containers"))).toEqual([]);
  expect(readdirSync(join(root, "image", store.driver, "layerdb/mounts"))).toEqual([]);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(root);
});

function container(): string {
  return `container${number(5)}`;
}

function document(value: object): Pick<ApiRequest, "body" | "headers"> {
  return { body: JSON.stringify({ Cmd: ["true"], ...value }), headers: { "Content-Type": "application/json" } };
}

function name(): string {
  return number(2) === 0 ? `image${number(3)}` : `tag${number(5)}`;
}

function pick<Item>(items: readonly Item[]): Item {
  return items[number(items.length)]!;
}

function number(below: number): number {
  return Math.floor(Math.random() * below);
}
