import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { Agent, request as startRequest } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ask } from "../../test/tools/engine-api.ts";
import { digestOf } from "../digest/digest.ts";
import { openStore, type Store } from "../engine/store.ts";
import { tarOf } from "../testing/tar-entries.ts";
import type { Log } from "./log.ts";
import { Server } from "./server.ts";

let directory: string;
let socket: string;
let store: Store;
let server: Server;
/** The requests that are over, by their URLs. */
let answered: string[];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "varve-server-"));
  socket = join(directory, "api.sock");
  store = await openStore({ root: join(directory, "root"), driver: "rootless", durability: "none", threads: 0 });
  server = await serve();
});

afterEach(async () => {
  await server.stop(0);
  rmSync(directory, { recursive: true, force: true });
});

function serve(patience?: number): Promise<Server> {
  answered = [];
  const log: Log = (_, message, fields) => {
    if (message === "answered") answered.push(`${fields?.url}`);
  };
  return Server.start(store, { places: [{ kind: "unix", path: socket }], log, ...(patience && { patience }) });
}

/** An archive of one image with one layer of this many bytes. */
function archiveOf(name: string, size = 4096): Buffer {
  const layer = tarOf([{ name: "f", content: name.repeat(Math.ceil(size / name.length)).slice(0, size) }]);
  const config = JSON.stringify({ os: "linux", rootfs: { type: "layers", diff_ids: [digestOf(layer)] } });
  return tarOf([
    { name: "layer.tar", content: layer },
    { name: "config.json", content: config },
    {
      name: "manifest.json",
      content: JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }]),
    },
  ]);
}

/** What is on the root that no finished work has left there. */
function leftovers(): string[] {
  const inside = (path: string): string[] => (existsSync(path) ? readdirSync(path) : []);
  return ["tmp", "rootless", "image/rootless/layerdb/sha256", "image/rootless/layerdb/tmp", "varve/leases"].flatMap(
    (path) => inside(join(store.root, path)),
  );
}

/** Whether somebody keeps the layer of an image, which goes. */
async function isHeld(name: string): Promise<boolean> {
  await using other = await openStore({ root: store.root, driver: "rootless", durability: "none", threads: 0 });
  return (await other.remove(name)).length < 3;
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(5);
}

/** A load whose upload has begun and waits for more. */
async function beginLoad(archive: Buffer): Promise<ReturnType<typeof startRequest>> {
  const request = startRequest({ socketPath: socket, method: "POST", path: "/images/load", agent: false });
  request.on("error", () => {});
  request.write(archive.subarray(0, archive.length - 2048));
  await until(() => existsSync(join(store.root, "tmp")));
  return request;
}

describe("a client that hangs up", () => {
  test("in the middle of its upload leaves nothing", async () => {
    const request = await beginLoad(archiveOf("a:1", 300_000));
    request.destroy();
    await server.stop(5000);
    expect(leftovers()).toEqual([]);
    expect(await store.images()).toEqual([]);
  });

  test("in the middle of an archive ends the work on it", async () => {
    await ask(socket, { method: "POST", path: "/images/load", body: archiveOf("a:1", 20_000_000) });
    const request = startRequest({ socketPath: socket, path: "/images/a:1/get", agent: false }).end();
    const [response] = await once(request, "response");
    await once(response, "readable");
    request.destroy();
    await server.stop(60_000);
    expect(await isHeld("a:1")).toBe(false);
  });

  test("is forgotten, also if nothing happens that it could be told", async () => {
    const request = startRequest({ socketPath: socket, path: "/events", agent: false }).end();
    await once(request, "response");
    request.destroy();
    await until(() => answered.includes("/events"));
  });

  test("and its broken chunks end nothing but its own request", async () => {
    const client = connect(socket);
    client.write("POST /images/load HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n");
    expect(await text(client)).toMatch(/^HTTP\/1.1 400 /);
    expect((await ask(socket, { method: "GET", path: "/_ping" })).status).toBe(200);
    await server.stop(5000);
    expect(leftovers()).toEqual([]);
  });
});

describe("a daemon that stops", () => {
  test("lets running work finish, and takes no more", async () => {
    const archive = archiveOf("a:1", 300_000);
    const request = await beginLoad(archive);
    const stopped = server.stop(60_000);
    await until(() => !existsSync(socket));
    await expect(ask(socket, { method: "GET", path: "/_ping" })).rejects.toThrow();
    request.end(archive.subarray(archive.length - 2048));
    const [response] = await once(request, "response");
    expect((await text(response)).endsWith('{"stream":"Loaded image: a:1\\n"}\r\n')).toBe(true);
    await stopped;
  });

  test("cancels it when the time is over, and nothing of it stays", async () => {
    const request = await beginLoad(archiveOf("a:1", 300_000));
    const answered = once(request, "response");
    await server.stop(10);
    const [response] = await answered;
    expect(await text(response)).toContain("cancelled");
    expect(leftovers()).toEqual([]);
  });

  test("does not wait for who follows its events", async () => {
    await ask(socket, { method: "POST", path: "/images/load", body: archiveOf("a:1") });
    const request = startRequest({ socketPath: socket, path: "/events?since=0", agent: false }).end();
    const [response] = await once(request, "response");
    await once(response, "readable");
    await server.stop(60_000);
    expect(JSON.parse(await text(response))).toMatchObject({ status: "load", Type: "image", scope: "local" });
  });

  test("does not wait for who reads nothing", async () => {
    await ask(socket, { method: "POST", path: "/images/load", body: archiveOf("a:1", 20_000_000) });
    const request = startRequest({ socketPath: socket, path: "/images/a:1/get", agent: false }).end();
    const [response] = await once(request, "response");
    response.on("error", () => {});
    await server.stop(0);
    expect(await isHeld("a:1")).toBe(false);
  });
});

describe("a client that takes its time", () => {
  beforeEach(async () => {
    await server.stop(0);
    server = await serve(1000);
  });

  test.each(["", "GET /_ping HTT", "GET /_ping HTTP/1.1\r\nHost: d\r\n"])("is cut off behind %j", async (begun) => {
    const client = connect(socket).on("error", () => {});
    client.write(begun);
    expect(await text(client)).toMatch(/^(HTTP\/1.1 408 |$)/);
  });

  test("to upload is waited for, and so is one between two requests", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const archive = archiveOf("a:1");
    const post = startRequest({ socketPath: socket, method: "POST", path: "/images/load", agent });
    for (let at = 0; at < archive.length; at += 2048) {
      post.write(archive.subarray(at, at + 2048));
      await sleep(700);
    }
    post.end();
    const [response] = await once(post, "response");
    const connection = post.socket;
    expect(await text(response)).toContain("Loaded image: a:1");
    await sleep(2500);
    const ping = startRequest({ socketPath: socket, path: "/_ping", agent }).end();
    expect(await text((await once(ping, "response"))[0])).toBe("OK");
    expect(ping.socket).toBe(connection);
    agent.destroy();
  });
});

describe("an answer", () => {
  test.each(["/images/load", "/images/create?fromSrc=-&repo=UPPER"])(
    "of %s comes to a client that goes on sending, and its connection is used again",
    async (path) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const post = startRequest({ socketPath: socket, method: "POST", path, agent });
      post.end(Buffer.alloc(5_000_000, "x"));
      const [response] = await once(post, "response");
      const connection = post.socket;
      expect(await text(response)).toMatch(/not a tar|must be lowercase/);
      const ping = startRequest({ socketPath: socket, path: "/_ping", agent }).end();
      const [pong] = await once(ping, "response");
      expect(ping.socket).toBe(connection);
      expect(await text(pong)).toBe("OK");
      agent.destroy();
    },
  );

  test("of an archive that turns out to be damaged is cut off", async () => {
    await ask(socket, { method: "POST", path: "/images/load", body: archiveOf("a:1", 300_000) });
    const [tree] = readdirSync(join(store.root, "rootless"));
    writeFileSync(join(store.root, "rootless", tree!, "diff/f"), "x".repeat(300_000));
    await expect(ask(socket, { method: "GET", path: "/images/a:1/get" })).rejects.toThrow("aborted");
  });

  test("to headers beyond all bounds is their status", async () => {
    const filters = "x".repeat(2 << 20);
    expect((await ask(socket, { method: "GET", path: "/_ping", headers: { filters } })).status).toBe(431);
    const long = "x".repeat(100_000);
    expect((await ask(socket, { method: "GET", path: "/_ping", headers: { long } })).status).toBe(200);
  });

  test("comes as before after any garbage", async () => {
    const start = ["", "GET / HTTP/1.1\r\n", "POST /images/load HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n"];
    for (let i = 0; i < 60; i++) {
      const client = connect(socket).on("error", () => {});
      client.end(Buffer.concat([Buffer.from(start[i % 3]!), randomBytes(300)]));
      await text(client);
    }
    expect((await ask(socket, { method: "GET", path: "/_ping" })).status).toBe(200);
    expect(leftovers()).toEqual([]);
  });

  test("to an old client is text", async () => {
    const { headers, body } = await ask(socket, { method: "GET", path: "/v1.22/images/nope/json" });
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(`${body}`).toBe("no such image: nope: No such image: nope:latest\n");
  });
});

describe("a socket", () => {
  test("that somebody answers at is his", async () => {
    await expect(serve()).rejects.toMatchObject({
      code: "in-use",
      message: `somebody already listens at unix://${socket}: choose another with -H`,
    });
    expect((await ask(socket, { method: "GET", path: "/_ping" })).status).toBe(200);
  });

  test("that a dead daemon left is replaced", async () => {
    await server.stop(0);
    writeFileSync(
      join(directory, "leave.mjs"),
      `
      import { createServer } from "node:net";
      createServer().listen(${JSON.stringify(socket)}, () => process.kill(process.pid, "SIGKILL"));
    `,
    );
    spawnSync(process.execPath, [join(directory, "leave.mjs")]);
    expect(existsSync(socket)).toBe(true);
    server = await serve();
    expect((await ask(socket, { method: "GET", path: "/_ping" })).status).toBe(200);
  });

  test("is no file that was there before", async () => {
    await server.stop(0);
    writeFileSync(socket, "mine");
    await expect(serve()).rejects.toMatchObject({
      code: "conflict",
      message: `${socket} is there already and is no socket: remove it, or choose another with -H`,
    });
  });

  test("needs a directory that is there", async () => {
    const path = join(directory, "none", "varve.sock");
    await expect(Server.start(store, { places: [{ kind: "unix", path }], log: () => {} })).rejects.toMatchObject({
      code: "not-found",
      message: `there is no directory ${join(directory, "none")}: make it, or choose another with -H`,
    });
  });

  test("is at an address of this machine, and at a port that nobody has", async () => {
    const start = (host: string, port: number): Promise<Server> =>
      Server.start(store, { places: [{ kind: "tcp", host, port }], log: () => {} });
    await expect(start("192.0.2.1", 0)).rejects.toMatchObject({
      message: "192.0.2.1 is no address of this machine: choose another with -H",
    });
    const first = await start("127.0.0.1", 0);
    const [address] = first.addresses;
    await expect(start("127.0.0.1", Number(/\d+$/.exec(address!)![0]))).rejects.toMatchObject({
      ...{ code: "in-use", message: `somebody already listens at ${address}: choose another with -H` },
    });
    await first.stop(0);
  });
});
