/** Clients that do not read, and clients that go: neither costs memory, locks, descriptors or files. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/engine/store.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { dockerArchive } from "../fstree/docker-archive.ts";
import { ask } from "../tools/engine-api.ts";
import { startDaemon, type VarveDaemon } from "../tools/varve-daemon.ts";

const MIB = 1 << 20;
const BIG = 48 * MIB;
const TIMES = 50;

let root: string;
let daemon: VarveDaemon;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "varve-slow-"));
  daemon = await startDaemon(root);
  const body = dockerArchive("big", [
    tarOf([
      {
        name: "f",
        content: randomBytes(BIG)
          .toString("latin1")
          .slice(0, BIG / 2),
      },
    ]),
  ]);
  expect(`${(await ask(daemon.socket, { method: "POST", path: "/images/load", body })).body}`).toContain(
    "Loaded image",
  );
  const container = JSON.stringify({ Image: "big", Cmd: ["true"] });
  const headers = { "Content-Type": "application/json" };
  const create = { method: "POST", path: "/containers/create?name=held", body: container, headers };
  expect((await ask(daemon.socket, create)).status).toBe(201);
});

afterAll(async () => {
  const removed = await ask(daemon.socket, { method: "DELETE", path: "/containers/held" });
  const { status } = await daemon.stop();
  const store = await openStore({ root });
  const { broken } = await store.info();
  for (const { id } of await store.images({ all: true })) for await (const _ of store.save([id]));
  await store.close();
  const mounts = readFileSync("/proc/self/mounts", "utf8");
  rmSync(root, { recursive: true, force: true });
  expect([removed.status, status, broken, mounts.includes(root)]).toEqual([204, 0, [], false]);
});

/** What no client has left behind. */
async function expectNothingLeft(before: number): Promise<void> {
  await expect
    .poll(() => readdirSync(`/proc/${daemon.child.pid}/fd`).length, { timeout: 20_000 })
    .toBeLessThanOrEqual(before);
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
  expect(readdirSync(join(root, "image/overlay2/layerdb/tmp"))).toEqual([]);
}

function descriptors(): number {
  return readdirSync(`/proc/${daemon.child.pid}/fd`).length;
}

function memory(): number {
  const status = readFileSync(`/proc/${daemon.child.pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)![1]) * 1024;
}

/** A client that has said what it wants, and does nothing more. */
function begin(method: string, path: string, headers = ""): Socket {
  const socket = connect(daemon.socket)
    .on("error", () => {})
    .pause();
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: docker\r\n${headers}\r\n`);
  return socket;
}

test("clients that read nothing cost little memory and keep nobody from working", async () => {
  const first = [descriptors(), memory()] as const;
  const clients = Array.from({ length: 20 }, () => begin("GET", "/images/big/get"));
  clients.push(...Array.from({ length: 10 }, () => begin("GET", "/containers/held/export")));
  clients.push(...Array.from({ length: 10 }, () => begin("GET", "/containers/held/archive?path=/")));
  clients.push(...Array.from({ length: 20 }, () => begin("GET", "/events?since=0")));
  const small = dockerArchive("small", [tarOf([{ name: "g", content: "g" }])]);
  // Every round tells the followers some more.
  for (let i = 0; i < 20; i++) {
    expect(`${(await ask(daemon.socket, { method: "POST", path: "/images/load", body: small })).body}`).toContain(
      "Loaded",
    );
    const tag = await ask(daemon.socket, { method: "POST", path: `/images/big/tag?repo=${"r".repeat(200)}&tag=${i}` });
    expect(tag.status).toBe(201);
  }
  expect((await ask(daemon.socket, { method: "GET", path: "/images/big/get" })).body.length).toBeGreaterThan(BIG / 2);
  expect((await ask(daemon.socket, { method: "DELETE", path: "/images/small" })).status).toBe(200);
  await sleep(1000);
  // All of what was not read is much more than that.
  expect(memory() - first[1]).toBeLessThan(8 * BIG);
  for (const client of clients) client.destroy();
  await expectNothingLeft(first[0]);
});

test.each<[string, () => Socket, Buffer]>([
  [
    "load",
    () => begin("POST", "/images/load?quiet=0", "Transfer-Encoding: chunked\r\n"),
    dockerArchive(
      "gone",
      [0, 1].map((i) => tarOf([{ name: `${i}`, content: randomBytes(MIB).toString("latin1") }])),
    ),
  ],
  [
    "import",
    () => begin("POST", "/images/create?fromSrc=-&repo=gone", "Transfer-Encoding: chunked\r\n"),
    tarOf([{ name: "f", content: randomBytes(MIB).toString("latin1") }]),
  ],
  [
    "copy into a container",
    () => begin("PUT", "/containers/held/archive?path=/", "Transfer-Encoding: chunked\r\n"),
    tarOf([{ name: "g", content: randomBytes(MIB).toString("latin1") }]),
  ],
])("clients that go in the middle of a %s leave nothing", async (_, start, body) => {
  const before = descriptors();
  for (let i = 0; i < TIMES; i++) {
    const socket = start();
    const length = Math.floor(Math.random() ** 0.3 * body.length);
    socket.write(`${body.length.toString(16)}\r\n`);
    await new Promise<void>((resolve) => socket.write(body.subarray(0, length), () => resolve()));
    // One in two ends as if it were done, so that some are gone in the middle of the work.
    if (i % 2 === 0)
      await new Promise<void>((resolve) =>
        socket.write(Buffer.concat([body.subarray(length), Buffer.from("\r\n0\r\n\r\n")]), () => resolve()),
      );
    await sleep(Math.random() * 30);
    socket.destroy();
  }
  await expectNothingLeft(before);
  await ask(daemon.socket, { method: "DELETE", path: "/images/gone?force=1" });
  await ask(daemon.socket, { method: "POST", path: "/images/prune" });
});

const ENDLESS = [
  "/images/big/get",
  "/containers/held/export",
  "/containers/held/archive?path=/",
  "/events?since=0",
  "/images/get?names=big",
];

test("clients that go in the middle of an archive or of events leave nothing", async () => {
  const before = descriptors();
  for (let i = 0; i < TIMES; i++) {
    const socket = begin("GET", ENDLESS[i % ENDLESS.length]!);
    let left = (Math.random() * BIG) / 4;
    await new Promise<void>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        left -= chunk.length;
        if (left < 0) resolve();
      });
      socket.resume();
      setTimeout(resolve, 200);
    });
    socket.destroy();
  }
  await expectNothingLeft(before);
});
