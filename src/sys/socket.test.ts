import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { connect, createServer, type ListenOptions } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fromText } from "./byte-string.ts";
import { listeningKind, sendDatagram } from "./socket.ts";

function descriptorOf(handle: unknown): number {
  return (handle as { _handle: { fd: number } })._handle.fd;
}

const path = `\0varve-socket-${process.pid}`;

test.each<[string, ListenOptions, string]>([
  ["IPv4", { host: "127.0.0.1", port: 0 }, "tcp"],
  ["IPv6", { host: "::", port: 0 }, "tcp"],
  ["a path", { path }, "unix"],
])("a socket that listens at %s says so", async (_, options, kind) => {
  const server = createServer().listen(options);
  await once(server, "listening");
  expect(listeningKind(descriptorOf(server))).toBe(kind);
  server.close();
});

test("what takes no connections is none", async () => {
  const server = createServer().listen({ path });
  await once(server, "listening");
  const client = connect({ path });
  await once(client, "connect");
  const file = openSync("/dev/null", "r");
  expect([listeningKind(descriptorOf(client)), listeningKind(file), listeningKind(-1)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  closeSync(file);
  client.destroy();
  server.close();
});

test("a datagram for nobody is an error that says where it was to go", async () => {
  const directory = mkdtempSync(join(tmpdir(), "varve-socket-"));
  const said = (text: string): unknown => {
    try {
      return sendDatagram(fromText(text), "READY=1");
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(said(join(directory, "ä"))).toBe(`sendto ${join(directory, "ä")}: no such file or directory`);
  expect(said(`@${path.slice(1)}-nobody`)).toBe(`sendto @${path.slice(1)}-nobody: connection refused`);
  expect(said(`/${"x".repeat(300)}`)).toContain("sendto /xxx");
  rmSync(directory, { recursive: true });
});
