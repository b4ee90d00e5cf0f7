import { expect, test } from "vitest";
import { parseAddress } from "./listen.ts";

test.each([
  ["unix:///run/varve.sock", { kind: "unix", path: "/run/varve.sock" }],
  ["unix://relative/path", { kind: "unix", path: "relative/path" }],
  ["tcp://127.0.0.1:2375", { kind: "tcp", host: "127.0.0.1", port: 2375 }],
  ["tcp://localhost:0/", { kind: "tcp", host: "localhost", port: 0 }],
  ["tcp://[::1]:2376", { kind: "tcp", host: "::1", port: 2376 }],
  ["fd://", { kind: "inherited", which: "" }],
  ["fd://*", { kind: "inherited", which: "*" }],
  ["fd://3", { kind: "inherited", which: "3" }],
  ["fd://varve.socket", { kind: "inherited", which: "varve.socket" }],
])("%s is an address", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
});

test.each([
  ...["", "/run/varve.sock", "unix:", "unix://", "tcp://", "tcp://host", "tcp://host:", "tcp://host:x", "tcp://:2375"],
  ...[
    "tcp://host:65536",
    "tcp://::1:2375",
    "tcp://host:1/path",
    "http://host:1",
    "fd:",
    "fd://a/b",
    "fd://a:b",
    "npipe:////./pipe/docker",
  ],
])("%j is none", (text) => {
  expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: "invalid-argument" }));
});

test("a path may be as long as the kernel takes, in bytes", () => {
  expect(parseAddress(`unix:///${"x".repeat(106)}`).kind).toBe("unix");
  expect(() => parseAddress(`unix:///${"x".repeat(107)}`)).toThrow("is too long for a socket");
  expect(() => parseAddress(`unix:///${"ä".repeat(60)}`)).toThrow("is too long for a socket");
});
