import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, linkSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { get } from "node:https";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type CertificatePair, makeCertificates } from "../tools/certificates.ts";
import { lacking } from "../tools/dockerd.ts";
import { ask } from "../tools/engine-api.ts";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { ended, said, startVarve, varve, varvePath } from "../tools/varve.ts";
import { startDaemon } from "../tools/varve-daemon.ts";

let directory: string;
let root: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-serve-"));
  root = join(directory, "root");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const LOCAL = ["--driver", "rootless"];
const ping = { method: "GET", path: "/_ping" };

describe("varve serve", () => {
  test("listens in its data-root, says so, and leaves nothing when it is stopped", async () => {
    const child = startVarve(["--root", root, ...LOCAL, "serve"]);
    const [line] = await once(child.stdout, "data");
    const socket = join(root, "varve/docker.sock");
    expect(`${line}`).toBe(`Listening at unix://${socket}\n`);
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(`${(await ask(socket, ping)).body}`).toBe("OK");
    const end = ended(child);
    child.kill("SIGTERM");
    const { status, error } = await end;
    expect(status).toBe(0);
    expect(
      error
        .trimEnd()
        .split("\n")
        .map((text) => JSON.parse(text).msg),
    ).toEqual(["listening", "stopping", "stopped"]);
    expect([existsSync(socket), existsSync(join(root, "varve/daemon"))]).toEqual([false, false]);
  });

  test("is told who serves the root already", async () => {
    await using daemon = await startDaemon(root);
    expect(await varve(["--root", root, "serve"])).toMatchObject({
      status: 1,
      error: `varve: varve serve (pid ${daemon.child.pid}) already serves this data-root: use it with -H, or stop it first\n`,
    });
    expect((await ask(daemon.socket, ping)).status).toBe(200);
  });

  test("works beside commands on the same root", async () => {
    await using daemon = await startDaemon(root);
    const archive = join(directory, "a.tar");
    const id = writeSampleArchive(archive, "a:1", [[["f", 10]]]);
    const changes = ask(daemon.socket, { method: "GET", path: `/events?until=${Math.ceil(Date.now() / 1000) + 2}` });
    await said(["--root", root, "load", "-i", archive]);
    expect((await ask(daemon.socket, { method: "POST", path: "/images/a:1/tag?repo=b" })).status).toBe(201);
    expect(await said(["--root", root, "images", "-q", "--no-trunc"])).toBe(`${id}\n${id}\n`);
    await said(["--root", root, "rmi", "a:1", "b"]);
    expect(JSON.parse(`${(await ask(daemon.socket, { method: "GET", path: "/images/json" })).body}`)).toEqual([]);
    const actions = `${(await changes).body}`
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).Action);
    expect(actions).toEqual(["load", "tag", "untag", "untag", "delete"]);
  });

  test("takes a socket that systemd has opened", async () => {
    const socket = join(directory, "systemd.sock");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(`${socket}.opened`, resolve));
    const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
    const serve = [varvePath(), "--root", root, ...LOCAL, "serve", "-H", "fd://"];
    const script = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"';
    const child = spawn("sh", ["-c", script, process.execPath, ...serve], { stdio: ["ignore", "pipe", "ignore", fd] });
    // Closing it removes its name, so it gets another one first.
    linkSync(`${socket}.opened`, socket);
    server.close();
    const [line] = await once(child.stdout!, "data");
    expect(`${line}`).toContain("Listening at ");
    expect((await ask(socket, ping)).status).toBe(200);
    child.kill("SIGINT");
    expect(await once(child, "close")).toEqual([0, null]);
  });

  test.each([
    [["-H", "tcp://127.0.0.1:0"], "whoever reaches a TCP address may do anything"],
    [["-H", "tcp://127.0.0.1:0", "--tlscert", "x"], "TLS takes all three"],
    [["-H", "/var/run/docker.sock"], "invalid address /var/run/docker.sock"],
    [["-H", "unix://"], "invalid address unix://"],
    [["-H", `unix:///${"x".repeat(200)}`], "too long for a socket"],
    [["-H", "tcp://127.0.0.1:70000", "--insecure"], "invalid address tcp://127.0.0.1:70000"],
    [["-H", "fd://"], "no sockets found via socket activation"],
    [["-G", "no-such-group"], "there is no group no-such-group: choose one of /etc/group with -G"],
    [["--stop-timeout", "soon"], "--stop-timeout is no number of seconds: soon"],
  ])("with %j says what is wrong", async (options, message) => {
    const { status, error } = await varve(["--root", root, ...LOCAL, "serve", ...options]);
    expect(error).toContain(message);
    expect(status).not.toBe(0);
    expect(existsSync(join(root, "varve/docker.sock"))).toBe(false);
  });

  test("speaks plainly over TCP only when it is told to", async () => {
    await using daemon = await startDaemon(root, ["-H", "tcp://127.0.0.1:0", "--insecure"]);
    const address = daemon.addresses.find((text) => text.startsWith("tcp://"))!;
    expect(await (await fetch(`${address.replace("tcp", "http")}/_ping`)).text()).toBe("OK");
  });
});

const noTls = lacking("openssl");
describe.skipIf(noTls)(`varve serve with TLS${noTls ?? ""}`, () => {
  test("asks clients for a certificate of its authority", async () => {
    const { authority, server, client, stranger } = makeCertificates(directory);
    const files = ["--tlscacert", authority.certificate, "--tlscert", server.certificate, "--tlskey", server.key];
    await using daemon = await startDaemon(root, ["-H", "tcp://127.0.0.1:0", ...files]);
    const port = Number(/:(\d+)$/.exec(daemon.addresses[1]!)![1]);
    const status = (who?: CertificatePair): Promise<number> =>
      new Promise((resolve, reject) => {
        const ca = readFileSync(authority.certificate);
        const own = who && { cert: readFileSync(who.certificate), key: readFileSync(who.key) };
        const trust = { ca, ...own, agent: false as const };
        get({ host: "127.0.0.1", port, path: "/_ping", ...trust }, (response) => {
          response.resume().on("end", () => resolve(response.statusCode!));
        }).on("error", reject);
      });
    expect(await status(client)).toBe(200);
    await expect(status()).rejects.toThrow();
    await expect(status(stranger)).rejects.toThrow();
    // Its unix socket needs none.
    expect((await ask(daemon.socket, ping)).status).toBe(200);
    // Who connects and does not even say who he is, does not keep it from stopping.
    const silent = connect(port, "127.0.0.1").on("error", () => {});
    await once(silent, "connect");
    expect((await daemon.stop()).status).toBe(0);
  }, 60_000);
});
