/** What no client of good will sends. After each, the daemon answers others, and nothing of it is left. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/engine/store.ts";
import { errnoOf } from "../../src/errors.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { dockerArchive } from "../fstree/docker-archive.ts";
import { type ApiAnswer, ask } from "../tools/engine-api.ts";
import { ended, varvePath } from "../tools/varve.ts";
import { startDaemon, type VarveDaemon } from "../tools/varve-daemon.ts";

const ARCHIVE = dockerArchive("image", [tarOf([{ name: "f", content: "f".repeat(100_000) }])]);
const PING = "GET /_ping HTTP/1.1\r\nHost: docker\r\n";

let root: string;
let daemon: VarveDaemon;
let before: number;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "varve-hostile-"));
  daemon = await startDaemon(root);
  await ask(daemon.socket, { method: "POST", path: "/images/load", body: ARCHIVE });
  before = descriptors();
});
afterEach(async () => {
  expect((await ask(daemon.socket, { method: "GET", path: "/images/image/json" })).status).toBe(200);
  await expect.poll(descriptors, { timeout: 10_000 }).toBeLessThanOrEqual(before);
  expect(readdirSync(join(root, "tmp"))).toEqual([]);
});
afterAll(async () => {
  const { status, error } = await daemon.stop();
  const store = await openStore({ root });
  const { broken, images } = await store.info();
  await store.close();
  rmSync(root, { recursive: true, force: true });
  expect([status, broken, images]).toEqual([0, [], 1]);
  expect(error).not.toContain("a bug in varve");
});

function descriptors(): number {
  return readdirSync(`/proc/${daemon.child.pid}/fd`).length;
}

/** What comes back for these bytes, until the daemon closes or `enough` has come. */
async function raw(bytes: string | Uint8Array, enough?: RegExp): Promise<string> {
  const socket = connect(daemon.socket);
  const answer = answerOf(socket, enough);
  socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  return await answer;
}

/** Whoever hears nothing for so long waits for nothing. */
const SILENCE_MS = 10_000;

function answerOf(socket: Socket, enough?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (enough?.test(text)) socket.destroy();
    });
    // A daemon that refuses an upload may close before it has all.
    socket.on("error", (error) => errnoOf(error) === undefined && reject(error));
    socket.once("close", () => resolve(text));
    socket.setTimeout(SILENCE_MS, () => socket.destroy(new Error(`silence behind ${text}`)));
  });
}

/** Who goes on sending may be cut off before he has read the answer. */
const CUT_OFF = /^(HTTP\/1\.1 431 |$)/;

const POST = "POST /images/load HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n\r\n`;

describe("a request that is no HTTP", () => {
  test.each<[string, string, RegExp]>([
    ["with more headers than fit", `${PING}X: ${"x".repeat(2 << 20)}\r\n\r\n`, CUT_OFF],
    ["with a line that does not end", `GET /${"x".repeat(2 << 20)}`, CUT_OFF],
    ["with many headers", `${PING}${"abc: de\r\n".repeat(300_000)}\r\n`, CUT_OFF],
    [
      "with a length and chunks",
      `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      /^HTTP\/1\.1 400 /,
    ],
    ["with two lengths", `${POST}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`, /^HTTP\/1\.1 400 /],
    ["with a length that is none", `${POST}Content-Length: -1\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ["with a coding before the chunks", `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ["with a space before a colon", `${PING}Content-Length : 5\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ["with a folded header", `${PING}X: a\r\n b\r\nTransfer-Encoding\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ["with a NUL", `${PING}X: \0\r\n\r\n`, /^HTTP\/1\.1 400 /],
    ["with bytes that are not ASCII", "GET /images/\xff\xfe/json HTTP/1.1\r\nHost: a\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["without a host", "GET /_ping HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["of another protocol", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", /^(HTTP\/1\.1 400 |$)/],
    ["of TLS", "\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", /^HTTP\/1\.1 400 /],
    ["with a method that nobody knows", "BREW /_ping HTTP/1.1\r\nHost: a\r\n\r\n", /^HTTP\/1\.1 400 /],
    ["to go through to elsewhere", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", /^(HTTP\/1\.1 40\d |$)/],
  ])("%s is refused", async (_, request, answer) => {
    expect(await raw(request)).toMatch(answer);
  });

  test.each([
    ["a size that is no number", "xyz\r\nabc\r\n0\r\n\r\n"],
    ["a size beyond all", `${"f".repeat(20)}\r\nabc\r\n`],
    ["no line end behind a chunk", "3\r\nabcdef0\r\n\r\n"],
    ["a negative size", "-3\r\nabc\r\n0\r\n\r\n"],
    ["a line end alone", "3\nabc\n0\n\n"],
    ["an extension without end", `3;${"x".repeat(4 << 20)}`],
    ["trailers without end", `0\r\n${"abc: de\r\n".repeat(500_000)}`],
  ])("in whose chunks is %s is cut off", async (_, chunks) => {
    expect(await raw(CHUNKED + chunks)).not.toContain("Loaded");
  });

  test("that ends in the middle of its upload leaves nothing", async () => {
    for (const length of [0, 1, 511, 512, 1024, 50_000, ARCHIVE.length - 1]) {
      const socket = connect(daemon.socket);
      const answer = answerOf(socket);
      socket.write(`${CHUNKED}${ARCHIVE.length.toString(16)}\r\n`);
      socket.end(ARCHIVE.subarray(0, length));
      expect(await answer).not.toContain("Loaded");
    }
  });
});

describe("a request that is odd", () => {
  test.each<[string, string, RegExp]>([
    [
      "with a body where none belongs",
      `${PING}Connection: close\r\nContent-Length: 5\r\n\r\nhello`,
      /200 OK[\s\S]*\r\n\r\nOK$/,
    ],
    ["of HTTP/1.0", "GET /_ping HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200 OK[\s\S]*\r\n\r\nOK$/],
    ["of HTTP/1.0 for an archive", "GET /images/image/get HTTP/1.0\r\n\r\n", /^HTTP\/1\.1 200 OK[\s\S]*manifest\.json/],
    [
      "that expects to be told to go on",
      `${POST}Expect: 100-continue\r\nContent-Length: 0\r\n\r\n`,
      /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /,
    ],
    ["that expects something else", `${PING}Expect: cookies\r\n\r\n`, /^HTTP\/1\.1 417 /],
    [
      "that wants to attach",
      "POST /v1.41/containers/a/attach?stream=1 HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n",
      /^HTTP\/1\.1 501 [\s\S]*"message"/,
    ],
    [
      "that wants a session",
      "POST /session HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
      /^HTTP\/1\.1 501 [\s\S]*"message"/,
    ],
    [
      "for a whole address",
      "GET http://docker/_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n",
      /^HTTP\/1\.1 [24]0/,
    ],
    ["for everything", "OPTIONS * HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n", /^HTTP\/1\.1 [24]0/],
  ])("%s is answered", async (_, request, answer) => {
    expect(await raw(request, answer)).toMatch(answer);
  });

  test("that comes before the one before is answered is answered after it", async () => {
    const request = (method: string, path: string, last = ""): string =>
      `${method} ${path} HTTP/1.1\r\nHost: docker\r\n${last}\r\n`;
    const said = await raw(
      [
        request("POST", "/images/image/tag?repo=piped&tag=1"),
        request("GET", "/images/piped:1/json"),
        request("DELETE", "/images/piped:1"),
        request("GET", "/images/piped:1/json", "Connection: close\r\n"),
      ].join(""),
    );
    expect(said.match(/^HTTP\/1\.1 \d+/gm)).toEqual(["201", "200", "200", "404"].map((status) => `HTTP/1.1 ${status}`));
  });

  test("by thousands on one connection, whose client reads nothing, is cut off", async () => {
    const socket = connect(daemon.socket);
    const closed = answerOf(socket);
    socket.pause();
    for (let i = 0; i < 50; i++) socket.write(`${PING}\r\n`.repeat(2000));
    await closed;
  });
});

describe("a name or a filter", () => {
  const RESERVED = [
    ..."%20%21%22%23%24%25%26%27%28%29%2A%2B%2C%2F%3A%3B%3C%3D%3E%3F%40%5B%5C%5D%5E%60%7B%7C%7D%7E".match(/.../g)!,
  ];
  test.each([
    ...RESERVED,
    ...["%00", "%0A", "%0d%0a", "%2e%2e", "..%2f..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "%ff%fe", "%c0%af", "%ed%a0%80"],
    ...["%u0041", "%", "%2", "%zz", "a%00b", "x".repeat(500_000), "sha256:", "sha256%3a%2a"],
  ])("with %s is refused in good order", async (name) => {
    for (const [method, path] of [
      ["GET", `/images/${name}x/json`],
      ["GET", `/images/${name}/get`],
      ["DELETE", `/images/nobody${name}`],
      ["POST", `/images/image/tag?repo=${name}%2f&tag=${name}`],
      ["GET", `/images/json?filters=${name}`],
    ] as const) {
      const said = await raw(`${method} ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect(said).toMatch(/^HTTP\/1\.1 (400|404|501) [\s\S]*\r\n\r\n\{"message":".*"\}\n$/);
    }
  });

  test.each([
    ["deep", "[".repeat(300_000)],
    ["deep and closed", "[".repeat(150_000) + "]".repeat(150_000)],
    ["deep in objects", '{"a":'.repeat(100_000)],
    ["of many", JSON.stringify({ label: Array.from({ length: 50_000 }, (_, i) => `a${i}`) })],
    [
      "with a pattern that has many ways",
      JSON.stringify({ reference: [`${"*a".repeat(2000)}b`, `${"[a-z]*".repeat(500)}9`] }),
    ],
    ["of a prototype", '{"__proto__":{"dangling":["true"]},"constructor":["a"]}'],
    ["of a number", '{"label":5}'],
    ["of null", "null"],
  ])("that is %s is answered soon", async (_, filters) => {
    const path = `/images/json?filters=${filters.replaceAll('"', "%22")}`;
    expect(await raw(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`)).toMatch(/^HTTP\/1\.1 [24]\d\d /);
  });
});

describe("a container", () => {
  const create = (body: string | Uint8Array): Promise<ApiAnswer> =>
    ask(daemon.socket, {
      ...{ method: "POST", path: "/containers/create", body },
      headers: { "Content-Type": "application/json" },
    });

  test.each<[string, string | Uint8Array]>([
    ["that is no JSON", "{"],
    ["without end", `{"Image":"image","Cmd":["${"x".repeat(16 << 20)}`],
    ["that is deep", `{"Image":"image","Cmd":${"[".repeat(1_000_000)}`],
    ["that is deep and closed", `{"Image":"image","Env":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
    ["of bytes that are no text", Buffer.from("7b22496d616765223a22ff7d", "hex")],
    ["of a number", "5"],
    ["of other kinds", '{"Image":["image"],"Cmd":{"a":1}}'],
    ["of a prototype", '{"__proto__":{"Image":"image"},"constructor":1}'],
    ["of nothing", ""],
  ])("of a document %s is not made", async (_, body) => {
    const { status, body: said } = await create(body);
    expect([400, 404, 413]).toContain(status);
    expect(JSON.parse(`${said}`).message).not.toBe("");
    expect(JSON.parse(`${(await ask(daemon.socket, { method: "GET", path: "/containers/json?all=1" })).body}`)).toEqual(
      [],
    );
  });

  test("takes what is copied into it, and nothing of that leaves it", async () => {
    const { Id } = JSON.parse(`${(await create(JSON.stringify({ Image: "image", Cmd: ["a"] }))).body}`);
    const outside = mkdtempSync(join(tmpdir(), "varve-outside-"));
    const up = "../".repeat(20);
    const tars = [
      [{ name: `${up}${outside}/a`, content: "x" }],
      [{ name: `${outside}/b`, content: "x" }],
      [
        { name: "link", type: "2", linkname: outside },
        { name: "link/c", content: "x" },
      ],
      [
        { name: "far", type: "2", linkname: `${up}${outside}` },
        { name: "far/d", content: "x" },
        { name: "hard", type: "1", linkname: `${up}etc/passwd` },
      ],
    ];
    for (const path of ["/", "/link", `/${up}`, `/${up}${outside}`])
      for (const entries of tars)
        await ask(daemon.socket, {
          ...{ method: "PUT", path: `/containers/${Id}/archive?path=${encodeURIComponent(path)}` },
          body: tarOf(entries as never),
        });
    const read = await ask(daemon.socket, {
      ...{ method: "GET", path: `/containers/${Id}/archive?path=${encodeURIComponent(`/link/${up}etc/passwd`)}` },
    });
    expect(readdirSync(outside)).toEqual([]);
    expect([404, 200]).toContain(read.status);
    expect(`${read.body}`).not.toContain("root:");
    expect((await ask(daemon.socket, { method: "DELETE", path: `/containers/${Id}` })).status).toBe(204);
    rmSync(outside, { recursive: true });
  });
});

describe("connections", () => {
  test("more than there are descriptors for are dropped, and others are served again afterwards", async () => {
    const other = mkdtempSync(join(tmpdir(), "varve-crowd-"));
    const socket = join(other, "docker.sock");
    const serve = [varvePath(), "--root", join(other, "root"), "serve", "-H", `unix://${socket}`];
    const child = spawn("sh", ["-c", 'ulimit -n 200; exec "$0" "$@"', process.execPath, ...serve]);
    const end = ended(child as never);
    try {
      await once(child.stdout, "data");
      const open = (): number => readdirSync(`/proc/${child.pid}/fd`).length;
      const first = open();
      const crowd = Array.from({ length: 2000 }, () => connect(socket).on("error", () => {}));
      await expect.poll(() => crowd.filter((one) => one.destroyed || one.readyState === "closed").length).toBe(1900);
      expect(open()).toBeLessThan(200);
      // Who is connected is served, with descriptors that are left for the work.
      const served = crowd.find((one) => !one.destroyed)!;
      const answer = answerOf(served, /Loaded image/);
      served.write(`POST /images/load HTTP/1.1\r\nHost: a\r\nContent-Length: ${ARCHIVE.length}\r\n\r\n`);
      served.write(ARCHIVE);
      expect(await answer).toContain("Loaded image: image:latest");
      for (const one of crowd) one.destroy();
      await expect.poll(open, { timeout: 10_000 }).toBeLessThanOrEqual(first + 8);
      expect((await ask(socket, { method: "GET", path: "/images/image/json" })).status).toBe(200);
    } finally {
      child.kill("SIGTERM");
      const { error } = await end;
      expect(error.split("\n").length).toBeLessThan(20);
      rmSync(other, { recursive: true, force: true });
    }
  });
});
