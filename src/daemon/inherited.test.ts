import { expect, test } from "vitest";
import { inheritedSockets, notify } from "./inherited.ts";

const LISTEN_PID = `${process.pid}`;

test.each([
  ["nobody has passed", {}],
  ["were passed to another process", { LISTEN_PID: "1", LISTEN_FDS: "1" }],
  ["are none", { LISTEN_PID, LISTEN_FDS: "0" }],
  ["nobody can count", { LISTEN_PID, LISTEN_FDS: "many" }],
])("sockets that %s are told so", (_, environment) => {
  expect(() => inheritedSockets("", environment)).toThrow(
    expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining("no sockets found") }),
  );
});

test.each(["4", "2", "unheard-of", "unknown"])("fd://%s, which systemd has not passed, is told so", (which) => {
  const environment = { LISTEN_PID, LISTEN_FDS: "1", LISTEN_FDNAMES: "varve.socket:unheard-of" };
  expect(() => inheritedSockets(which, environment)).toThrow(`systemd has passed no socket fd://${which}`);
});

test("what is no socket is told so", () => {
  const LISTEN_FDS = `${1 << 16}`;
  expect(() => inheritedSockets("65000", { LISTEN_PID, LISTEN_FDS })).toThrow("fd://65000 is no socket");
});

test("nobody is told where nobody asks", () => {
  notify("READY=1", {});
});
