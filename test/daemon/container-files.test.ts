import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { dockerArchive } from "../fstree/docker-archive.ts";
import { lacking } from "../tools/dockerd.ts";
import { type ApiAnswer, ask } from "../tools/engine-api.ts";
import { startDaemon, type VarveDaemon } from "../tools/varve-daemon.ts";
import { json } from "./api-calls.ts";

const lack = lacking("root");
const MIB = 1 << 20;
const LARGE = tarOf([{ name: "large/" }, { name: "large/file", content: "x".repeat(64 * MIB) }]);

describe.skipIf(lack)(`a client that copies${lack ?? ""}`, () => {
  let root: string;
  let daemon: VarveDaemon;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "varve-files-"));
    daemon = await startDaemon(root);
    await ask(daemon.socket, { method: "POST", path: "/images/load", body: dockerArchive("large", [LARGE]) });
    const config = { Image: "large", Cmd: ["a"], Volumes: { "/volume": {} } };
    expect((await send("POST", "/containers/create?name=box", config)).status).toBe(201);
  });
  afterEach(async () => {
    await daemon.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const send = (method: string, path: string, body?: unknown): Promise<ApiAnswer> =>
    ask(daemon.socket, { method, path, ...json(body) });
  const mounts = (): string[] =>
    readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(root));

  /** Nothing is held any more: neither a mount nor the container. */
  const expectNothingLeft = async (): Promise<void> => {
    let status = 409;
    for (let tries = 0; tries < 100 && status === 409; tries++) {
      await sleep(50);
      status = (await send("DELETE", "/containers/box?v=1")).status;
    }
    expect(status).toBe(204);
    expect(mounts()).toEqual([]);
    expect(readdirSync(join(root, "volumes"))).toEqual([]);
    expect((await send("GET", "/_ping")).status).toBe(200);
  };

  test.each(["/containers/box/archive?path=/large", "/containers/box/export"])(
    "out by %s and hangs up in the middle leaves nothing",
    async (path) => {
      const call = request({ socketPath: daemon.socket, path, agent: false }).end();
      const [answer] = (await once(call, "response")) as [IncomingMessage];
      await once(answer, "data");
      call.on("error", () => {}).destroy();
      await expectNothingLeft();
    },
  );

  test("in and hangs up in the middle leaves nothing", async () => {
    const options = { socketPath: daemon.socket, method: "PUT", path: "/containers/box/archive?path=/", agent: false };
    const call = request(options).on("error", () => {});
    await new Promise((resolve) => call.write(LARGE.subarray(0, 8 * MIB), resolve));
    call.destroy();
    await expectNothingLeft();
  });

  test("out and reads slowly costs no memory", async () => {
    const resident = (): number =>
      Number(/^VmRSS:\s*(\d+)/m.exec(readFileSync(`/proc/${daemon.child.pid}/status`, "utf8"))![1]) * 1024;
    const before = resident();
    const calls = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const path = "/containers/box/archive?path=/large";
        const call = request({ socketPath: daemon.socket, path, agent: false }).end();
        const [answer] = (await once(call, "response")) as [IncomingMessage];
        await once(answer, "readable");
        return call.on("error", () => {});
      }),
    );
    await sleep(500);
    expect(resident() - before).toBeLessThan(64 * MIB);
    for (const call of calls) call.destroy();
    await expectNothingLeft();
  });

  test("in with a tar that leads out stays in the container", async () => {
    const hostile = tarOf([
      { name: "out", type: "2", linkname: "../../../../../../../../tmp" },
      { name: "out/varve-was-here", content: "1" },
      { name: "../../../../varve-was-here", content: "2" },
      { name: "/etc/passwd", type: "1", linkname: "../../../../etc/passwd" },
    ]);
    await ask(daemon.socket, { method: "PUT", path: "/containers/box/archive?path=/", body: hostile });
    for (const place of ["/", "/tmp", root, join(root, "overlay2")])
      expect(readdirSync(place)).not.toContain("varve-was-here");
    await expectNothingLeft();
  });
});
