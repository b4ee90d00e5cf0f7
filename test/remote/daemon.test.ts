import { once } from "node:events";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createPlainServer } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AnyStore } from "../../src/engine/any-store.ts";
import { isVarveError, type VarveError } from "../../src/errors.ts";
import type { ByteSource } from "../../src/io/byte-source.ts";
import { connectStore } from "../../src/remote/connect.ts";
import { readFrames, writeFrame } from "../../src/remote/frames.ts";
import { METHODS } from "../../src/remote/methods.ts";
import { ANSWER_TYPE, CALL_TYPE, pathOf, writeArguments } from "../../src/remote/protocol.ts";
import { writeValue } from "../../src/remote/value.ts";
import { encodeHeader, fromText, newHeader } from "../../src/tar/index.ts";
import { ask } from "../tools/engine-api.ts";
import { archiveOf, LAYERS, pieces, RemoteBench } from "./bench.ts";

const failure = (work: Promise<unknown>): Promise<VarveError> =>
  work.then(
    () => Promise.reject(new Error("it did not fail")),
    (error) => error as VarveError,
  );

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe("a daemon", () => {
  let bench: RemoteBench;
  let store: AnyStore;
  beforeEach(async () => {
    bench = await RemoteBench.make({ driver: "rootless" });
    store = bench.store;
    await store.load(pieces(archiveOf({ "a:1": LAYERS, "b:1": LAYERS.slice(1) })));
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
  });

  test("gives to the last detail what its own store gives", async () => {
    const calls: ((store: AnyStore) => Promise<unknown>)[] = [
      (any) => any.images({ all: true }),
      (any) => any.inspect("a:1"),
      (any) => any.config("a:1"),
      (any) => any.history("a:1"),
      (any) => any.layers("a:1"),
      (any) => any.list("a:1", "/"),
      (any) => any.stat("a:1", "/"),
      (any) => any.df(),
      (any) => any.info(),
      (any) => any.previewRemoval(["a:1", "nope", "b:1", "A"]),
      (any) => any.prune({ all: true, dryRun: true }),
      (any) => all(any.events({ since: 0n, until: BigInt(Date.now()) * 1_000_000n })),
      (any) => buffer(any.save(["a:1"])),
      (any) => any.inspect("nope"),
      (any) => any.inspect("A:/"),
      (any) => any.images({ filters: { until: "yesterday" } }),
      (any) => any.remove("sha256:x"),
      (any) => any.mount("a:1"),
      (any) => any.load(pieces(Buffer.alloc(700, 1))),
      (any) => any.load(pieces(archiveOf({ "A B": LAYERS }))),
      (any) => any.import(pieces(Buffer.alloc(700, 1)), { changes: ["NO such"] }),
    ];
    const told = (work: Promise<unknown>): Promise<unknown> =>
      work.catch((error: VarveError) => ({ code: error.code, message: error.message, details: error.details }));
    for (const call of calls) expect(await told(call(store)), `${call}`).toStrictEqual(await told(call(bench.own)));
  });

  test("is told by a hang-up to stop, and leaves nothing", async () => {
    let given = 0;
    const endless = async function* (): ByteSource {
      yield encodeHeader(newHeader({ name: fromText("layer.tar"), size: 2 ** 40 }));
      for (; ; given++) yield Buffer.alloc(60_000);
    };
    const controller = new AbortController();
    const loading = failure(store.load(endless(), { signal: controller.signal }));
    while (given < 5) await sleep(5);
    controller.abort();
    expect(await loading).toMatchObject({ code: "cancelled" });
    const stopped = given;
    while (readdirSync(join(bench.root, "tmp")).length > 0) await sleep(5);
    expect(given - stopped).toBeLessThan(3);
    expect(await store.images()).toHaveLength(2);
  });

  test("answers before it has read everything, when it needs no more", async () => {
    let returned = false;
    const endless = async function* (): ByteSource {
      try {
        for (;;) yield Buffer.alloc(50_000, 1);
      } finally {
        returned = true;
      }
    };
    expect(await failure(store.import(endless(), { reference: "A" }))).toMatchObject({ code: "invalid-reference" });
    expect(returned).toBe(true);
    const silent = async function* (): ByteSource {
      await new Promise(() => {});
    };
    expect(await failure(store.import(silent(), { reference: "A" }))).toMatchObject({ code: "invalid-reference" });
  });

  test("is heard by those who are still sending when it refuses", async () => {
    const file = join(bench.directory, "file");
    writeFileSync(file, Buffer.alloc(12_000));
    for (let i = 0; i < 200; i++)
      expect(await failure(store.import(file, { reference: "NO" }))).toMatchObject({
        code: "invalid-reference",
      });
  });

  test("that stops says so to those who follow it, and to those who come later", async () => {
    const { host } = bench;
    const following = failure(all(store.events({ since: 0n })));
    await sleep(300);
    await bench.stop();
    expect(await following).toMatchObject({
      ...{ code: "unavailable", message: `the Varve daemon at ${host} broke the work off: it is stopping` },
    });
    expect(await failure(store.images())).toMatchObject({
      code: "unavailable",
      message: `cannot connect to the Varve daemon at ${host}. Is 'varve serve' running?`,
    });
  });

  test("serves a program again that knew it before it was started anew", async () => {
    await bench.restart();
    expect(await store.images()).toHaveLength(2);
  });

  test.each<[string, unknown[]]>([
    ["images", [{ all: 1 }]],
    ["images", [{ every: true }]],
    ["images", [{ filters: { label: "a" } }]],
    ["images", [{}, {}]],
    ["inspect", [7]],
    ["inspect", []],
    ["save", [["a:1", 1]]],
    ["save", [["a:1"], { format: "zip" }]],
    ["save", [["a:1"], { onEvent: "print" }]],
    ["tag", ["a:1", null]],
    ["events", [{ since: 5 }]],
    ["stat", ["a:1", { path: "/" }]],
    ["load", ["/etc/passwd", { signal: 1, root: "/" }]],
  ])("refuses wrong arguments: %s of %j", async (name, given) => {
    const error = await failure(call(bench, name, writeArguments(given)));
    expect(error).toMatchObject({ code: "invalid-argument" });
  });

  test("never opens a path that it is told", async () => {
    const line = writeArguments([join(bench.directory, "root/image"), {}]);
    expect(await failure(call(bench, "load", line))).toMatchObject({ code: "invalid-archive" });
  });

  test("answers whatever it is sent by an error with a code, and lives", async () => {
    const value = fc.anything({ maxDepth: 3 }).map((given) => {
      try {
        return Buffer.from(`${writeValue(given)}\n`);
      } catch {
        return Buffer.from("\n");
      }
    });
    const body = fc.oneof(
      value,
      fc.array(fc.anything()).map((given) => Buffer.from(`${JSON.stringify(given) ?? ""}\n`)),
      fc.uint8Array(),
    );
    const harmless = Object.keys(METHODS).filter((name) => name !== "events");
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...harmless), body, async (name, content) => {
        const error = await call(bench, name, content).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        if (error !== undefined) expect(isVarveError(error), `${name}: ${error}`).toBe(true);
        expect(isVarveError(error, "system")).toBe(false);
      }),
    );
    expect((await store.info()).root).toBe(bench.root);
  });

  test("refuses a call that a page in a browser could have sent", async () => {
    const { body } = await ask(bench.socket, {
      ...{ method: "POST", path: pathOf("prune"), body: writeArguments([{ all: true }]) },
      headers: { "Content-Type": "text/plain" },
    });
    await expect(all(readFrames(pieces(body)))).rejects.toMatchObject({ code: "invalid-argument" });
    expect(await store.images()).toHaveLength(2);
  });
});

/** What a call gives that is sent as it is. */
async function call(bench: RemoteBench, name: string, body: Uint8Array): Promise<unknown> {
  const request = { method: "POST", path: pathOf(name), body, headers: { "Content-Type": CALL_TYPE } };
  const answer = await ask(bench.socket, request);
  expect(answer.headers["content-type"]).toBe(ANSWER_TYPE);
  return (await all(readFrames(pieces(answer.body)))).at(-1);
}

describe("in place of a daemon", () => {
  const servers: { close(): unknown; closeAllConnections?(): void }[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections?.();
      server.close();
    }
  });

  async function serve(onRequest: RequestListener): Promise<string> {
    const server = createServer(onRequest);
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    return `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const greeting = (protocol: number): string => JSON.stringify({ protocol, version: "9", root: "/r", driver: "d" });

  test("nobody is told as docker tells it", async () => {
    const host = `unix:///tmp/no-such-${process.pid}.sock`;
    expect(await failure(connectStore({ host }))).toMatchObject({
      code: "unavailable",
      message: `cannot connect to the Varve daemon at ${host}. Is 'varve serve' running?`,
      details: { address: host, errno: "ENOENT" },
    });
    expect(await failure(connectStore({ host: "tcp://127.0.0.1:1" }))).toMatchObject({ code: "unavailable" });
  });

  test.each(["/run/x.sock", "", "http://x:1", "unix://"])("%j is no address", async (host) => {
    expect(await failure(connectStore({ host }))).toMatchObject({ code: "invalid-argument" });
  });

  test("a dockerd is told from a Varve", async () => {
    const host = await serve((_, response) => {
      response.setHeader("Server", "Docker/20.10.24 (linux)").writeHead(404).end('{"message":"page not found"}');
    });
    expect(await failure(connectStore({ host }))).toMatchObject({
      code: "unsupported",
      message: `there is no Varve daemon at ${host}, but Docker/20.10.24 (linux): use the address of a 'varve serve'`,
    });
  });

  test.each([
    ["a page that is longer than any greeting", "x".repeat(1_000_000)],
    ["a greeting that says too little", '{"protocol":1,"root":{}}'],
  ])("%s is none", async (_, text) => {
    const host = await serve((_request, response) => void response.end(text));
    expect(await failure(connectStore({ host }))).toMatchObject({
      code: "unsupported",
      message: expect.stringContaining(`there is no Varve daemon at ${host}, but a server of another kind`),
    });
  });

  test("a Varve of another protocol is one", async () => {
    const host = await serve((_, response) => {
      response.setHeader("Server", "Varve/9.0.0 (linux)").end(greeting(99));
    });
    const { code, message } = await failure(connectStore({ host }));
    expect(code).toBe("unsupported");
    expect(message).toMatch(
      /^the daemon at \S+ is Varve\/9.0.0 \(linux\), and this is Varve\/\S+, .*: use the same version/,
    );
  });

  test("who says nothing is waited for as long as said", async () => {
    const host = await serve(() => {});
    expect(await failure(connectStore({ host, timeout: 100 }))).toMatchObject({
      ...{ code: "unavailable", message: `the Varve daemon at ${host} has not answered for 0.1 seconds` },
    });
  });

  test("who hangs up may want TLS", async () => {
    const server = createPlainServer((socket) => socket.destroy());
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await failure(connectStore({ host }))).toMatchObject({
      ...{ code: "unavailable", message: expect.stringMatching(/hung up: if it wants TLS, add --tlscacert/) },
      details: { address: host },
    });
  });

  test("who speaks another language is told about", async () => {
    const server = createPlainServer((socket) => socket.end("220 mail.example.org ESMTP\r\n"));
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    expect(await failure(connectStore({ host }))).toMatchObject({ code: "unsupported" });
  });

  test.each([
    ["before the end of an answer", writeFrame({ kind: "item", value: 1 })],
    ["in the middle of a frame", Buffer.from("b\0\0\xff\xff123")],
  ])("who dies %s is found out", async (_, beginning) => {
    const host = await serve((request, response) => {
      if (request.method === "GET") return void response.end(greeting(1));
      response.setHeader("Content-Type", ANSWER_TYPE);
      response.write(beginning, () => response.destroy());
    });
    await using store = await connectStore({ host });
    expect(await failure(buffer(store.save(["a"])))).toMatchObject({
      ...{ code: "unavailable", message: `the Varve daemon at ${host} hung up` },
    });
    const cleanEnd = await serve((request, response) => {
      if (request.method === "GET") return void response.end(greeting(1));
      response.setHeader("Content-Type", ANSWER_TYPE).end(beginning);
    });
    await using other = await connectStore({ host: cleanEnd });
    expect(await failure(other.images())).toMatchObject({ code: "unavailable" });
  });

  test("who answers something else is told about", async () => {
    const host = await serve((request, response) => {
      if (request.method === "GET") return void response.end(greeting(1));
      response.writeHead(502).end("bad gateway");
    });
    await using store = await connectStore({ host });
    expect(await failure(store.images())).toMatchObject({
      ...{ code: "unsupported", message: expect.stringContaining("502 bad gateway") },
    });
  });
});
