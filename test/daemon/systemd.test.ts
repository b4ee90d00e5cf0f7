import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { ask } from "../tools/engine-api.ts";
import { ended, type Ran, startVarve, varvePath } from "../tools/varve.ts";

const UNITS = fileURLToPath(new URL("../../contrib/systemd/", import.meta.url));

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-systemd-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const noActivator = lacking("systemd-socket-activate");
describe.skipIf(noActivator)(`sockets that systemd has opened${noActivator ?? ""}`, () => {
  test.each([
    ["fd://", ["fd://3", "fd://4"]],
    ["fd://4", ["fd://4"]],
    ["fd://first", ["fd://3"]],
  ])("are taken as %s says", async (address, taken) => {
    const sockets = ["a", "b"].map((name) => join(directory, `${name}.sock`));
    const { addresses, ran } = await activated(sockets, "first:second", ["-H", address]);
    expect([addresses, ran.error]).toEqual([taken, expect.stringContaining("stopped")]);
    expect(ran.status).toBe(0);
    // They are systemd's, which goes on to listen.
    expect(sockets.map((socket) => existsSync(socket))).toEqual([true, true]);
  });

  test("are taken once each", async () => {
    const socket = join(directory, "a.sock");
    const { addresses } = await activated([socket], "a", ["-H", "fd://", "-H", "fd://3", "-H", "fd://a"]);
    expect(addresses).toEqual(["fd://3"]);
  });

  test("at a TCP port are for everybody only when that is wanted", async () => {
    const { ran } = await activated(["127.0.0.1:23751"], "a", ["-H", "fd://"]);
    expect(ran.error).toContain("whoever reaches a TCP address may do anything");
    const { addresses } = await activated(["127.0.0.1:23751"], "a", ["-H", "fd://", "--insecure"]);
    expect(addresses).toEqual(["tcp://127.0.0.1:23751"]);
  });
});

/** What a daemon that is started by the first connection says, after its answer to each socket that it took. */
async function activated(
  sockets: readonly string[],
  names: string,
  options: readonly string[],
): Promise<{ addresses: string[]; ran: Ran }> {
  const root = join(directory, "root");
  const serve = [varvePath(), "--root", root, "--driver", "rootless", "serve", "--json", ...options];
  const child = spawn("systemd-socket-activate", [
    ...sockets.flatMap((socket) => ["-l", socket]),
    ...["--fdname", names, process.execPath, ...serve],
  ]);
  const end = ended(child);
  const addresses = once(child.stdout, "data").then(([line]) => JSON.parse(`${line}`).addresses as string[]);
  // Its first connection starts it.
  while (!(await connects(sockets.at(-1)!)) && child.exitCode === null) await sleep(20);
  const said = await Promise.race([addresses, end.then(() => [])]);
  using _child = { [Symbol.dispose]: () => void child.kill("SIGTERM") };
  for (const address of said) {
    const [, number] = /^fd:\/\/(\d)$/.exec(address) ?? [];
    const { status } = number
      ? await ask(sockets[Number(number) - 3]!, { method: "GET", path: "/_ping" })
      : await fetch(`${address.replace("tcp", "http")}/_ping`);
    expect(status).toBe(200);
  }
  child.kill("SIGTERM");
  return { addresses: said, ran: await end };
}

function connects(address: string): Promise<boolean> {
  const [host, port] = address.split(":");
  return new Promise((resolve) => {
    const socket = connect(port === undefined ? { path: address } : { host: host!, port: Number(port) });
    socket.once("error", () => resolve(false));
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}

const noPython = lacking("python3");
test.skipIf(noPython)(
  `a service manager is told when clients are answered, and when it ends${noPython ?? ""}`,
  async () => {
    for (const socket of [join(directory, "notify"), `@varve-notify-${process.pid}`]) {
      const manager = spawn("python3", ["-c", MANAGER, socket]);
      const said = createInterface(manager.stdout)[Symbol.asyncIterator]();
      expect((await said.next()).value).toBe("bound");
      const child = startVarve(["--root", join(directory, "root"), "--driver", "rootless", "serve"], {
        environment: { NOTIFY_SOCKET: socket },
      });
      const end = ended(child);
      expect((await said.next()).value).toBe("READY=1");
      const answer = await ask(join(directory, "root/varve/docker.sock"), { method: "GET", path: "/_ping" });
      expect(answer.status).toBe(200);
      child.kill("SIGTERM");
      expect((await said.next()).value).toBe("STOPPING=1");
      expect((await end).status).toBe(0);
    }
  },
);

const MANAGER = `
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + name[1:] if name[0] == "@" else name)
print("bound", flush=True)
for _ in range(2): print(s.recv(4096).decode(), flush=True)
`;

test("a service manager that has gone is no reason to end", async () => {
  const child = startVarve(["--root", join(directory, "root"), "--driver", "rootless", "serve"], {
    environment: { NOTIFY_SOCKET: join(directory, "gone") },
  });
  const end = ended(child);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const { status, error } = await end;
  expect([status, error.match(/cannot be told/g)?.length]).toEqual([0, 2]);
});

const noVerifier = lacking("systemd-analyze");
test.skipIf(noVerifier)(`the units are what systemd understands${noVerifier ?? ""}`, () => {
  const units = ["varve.service", "varve.socket"].map((name) => join(UNITS, name));
  expect(execFileSync("systemd-analyze", ["verify", ...units], { encoding: "utf8", stdio: "pipe" })).toBe("");
  expect(readFileSync(units[0]!, "utf8")).toContain("serve -H fd://\n");
});
