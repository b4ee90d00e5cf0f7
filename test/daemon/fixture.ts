/** One data-root, made by a real dockerd, twice: for that dockerd and for Varve. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { busyboxTar, type Dockerd, start } from "../tools/dockerd.ts";
import { startDaemon, type VarveDaemon } from "../tools/varve-daemon.ts";

export interface Pair extends AsyncDisposable {
  readonly dockerd: Dockerd;
  readonly varve: VarveDaemon;
  readonly roots: { readonly dockerd: string; readonly varve: string };
  /** An archive of `base:1` and `kid:1`, as dockerd saves it. */
  readonly archive: Buffer;
  readonly archivePath: string;
  /** An archive of `fresh:1`, which none of them has. */
  readonly fresh: Buffer;
}

export const BASE_TAR: Buffer = tarOf([
  { name: "etc/" },
  { name: "etc/motd", content: "hello\n" },
  { name: "big", content: "x".repeat(70_000) },
]);
export const OTHER_TAR: Buffer = tarOf([
  { name: "other", content: "o".repeat(300) },
  { name: "etc/" },
  // Where a container does not say who owns its files, the machine may.
  { name: "etc/group", content: "root:x:0:\n" },
  { name: "etc/passwd", content: "root:x:0:0::/:\n" },
]);
const FRESH_TAR = tarOf([{ name: "fresh", content: "f".repeat(3_000_000) }]);

export async function makePair(): Promise<Pair> {
  const scratch = mkdtempSync(join(tmpdir(), "varve-pair-"));
  const roots = { dockerd: join(scratch, "dockerd"), varve: join(scratch, "varve") };
  const archivePath = join(scratch, "archive.tar");
  const { archive, fresh } = await fill(roots.dockerd, archivePath);
  execFileSync("cp", ["-a", roots.dockerd, roots.varve]);
  const dockerd = await start({ root: roots.dockerd });
  const varve = await startDaemon(roots.varve);
  return {
    ...{ dockerd, varve, roots, archive, archivePath, fresh },
    async [Symbol.asyncDispose]() {
      await varve.stop();
      await dockerd.stop();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

async function fill(root: string, archive: string): Promise<Pick<Pair, "archive" | "fresh">> {
  await using dockerd = await start({ root });
  const { docker } = dockerd;
  const labels = ["-c", 'LABEL stage=prod who="a <b> & c"', "-c", 'CMD ["/bin/sh", "-c", "true"]'];
  await docker(["import", "-m", "first", ...labels, "-", "base:1"], { input: BASE_TAR });
  await docker(["import", "-", "other:2"], { input: OTHER_TAR });
  await docker(["tag", "base:1", "localhost:5000/a/b:c"]);
  await docker(["tag", "base:1", "base:latest"]);
  await docker(["build", "-t", "kid:1", "-"], { input: "FROM base:1\nLABEL kid=1\nENV A=b\nEXPOSE 80\n" });
  await docker(["import", "-c", "LABEL dangling=yes", "-"], { input: OTHER_TAR });
  await docker(["create", "--name", "web", "--label", "a=b", "other:2", "echo", "a b"]);
  await docker(["cp", "-", "web:/"], { input: BASE_TAR });
  await makeContainers(dockerd, join(root, "../host"));
  await docker(["save", "-o", archive, "base:1", "kid:1"]);
  await docker(["import", "-", "fresh:1"], { input: FRESH_TAR });
  const fresh = await docker(["save", "fresh:1"]);
  await docker(["rmi", "fresh:1"]);
  return { archive: readFileSync(archive), fresh };
}

/** Containers in all the states that a stopped dockerd leaves, with whatever a config can say. */
async function makeContainers({ docker }: Dockerd, host: string): Promise<void> {
  mkdirSync(host);
  writeFileSync(join(host, "file"), "of the host");
  await docker(["import", "-c", "ENV PATH=/bin", "-", "box:1"], { input: busyboxTar() });
  await docker(["create", "--name", "accounts", "box:1", "true"]);
  await docker(["cp", "-", "accounts:/"], { input: OTHER_TAR });
  await docker(["commit", "accounts", "box:1"]);
  await docker(["rm", "accounts"]);
  const run = (name: string, ...args: string[]) =>
    docker(["run", "--network", "none", "--name", name, ...args]).catch(() => undefined);
  await run("ran", "box:1", "sh", "-c", ODD_FILES);
  await run("healthy", "--health-cmd", "true", "--health-interval", "1s", "box:1", "sleep", "2");
  await run("failed", "box:1", "no-such-program");
  await run("killed", "-e", "A=b", "-w", "/work", "-h", "host.name", "box:1", "sh", "-c", "kill -9 $$");
  const everything = [
    ...[
      "-p",
      "8080:80",
      "-p",
      "127.0.0.1:53:53/udp",
      "--expose",
      "90",
      "-v",
      "/data",
      "-v",
      "named:/named",
      "-l",
      "a=b",
    ],
    ...[
      "-v",
      `${host}:/host:ro`,
      "--tmpfs",
      "/t",
      "-m",
      "64m",
      "--restart",
      "on-failure:3",
      "--network",
      "none",
      "-u",
      "5:6",
    ],
    ...[
      "--entrypoint",
      "/bin/sh",
      "--stop-signal",
      "USR1",
      "--stop-timeout",
      "3",
      "--ulimit",
      "nofile=5:6",
      "-t",
      "-i",
    ],
    ...[
      "--health-cmd",
      "exit 1",
      "--cap-add",
      "SYS_TIME",
      "--add-host",
      "a:1.2.3.4",
      "--dns",
      "1.1.1.1",
      "--read-only",
    ],
    ...[
      "--device",
      "/dev/null:/dev/nothing",
      "--log-opt",
      "max-size=1m",
      "--pids-limit",
      "7",
      "-l",
      "empty=",
      "--init",
    ],
  ];
  await docker(["create", "--name", "a.long_name-1", ...everything, "box:1", "-c", "true <&>", ""]);
  await docker(["import", "-", "moved:1"], { input: OTHER_TAR });
  await docker(["create", "--name", "moved", "moved:1", "true"]);
  const id = (await docker(["images", "-q", "--no-trunc", "kid:1"])).toString().trim();
  await docker(["create", "--name", "by-id", id]);
  await docker(["create", "--name", "by-short-id", id.slice("sha256:".length, 20)]);
  await docker(["import", "-", "moved:1"], { input: BASE_TAR });
}

const ODD_FILES = `
echo root:x:0: > /etc/group && echo root:x:0:0::/: > /etc/passwd
rm -r /usr /bin/vi && mkdir /usr && echo again > /usr/new && chmod 700 /tmp && mkdir /odd && cd /odd
mkfifo fifo && mknod null c 1 3 && mknod block b 7 0
ln -s /etc abs && ln -s ../bin/busybox rel && ln -s nowhere/to/go dangling && ln -s dir dirlink && ln -s loop loop
ln -s dirlink/deep chain && ln -s /../../../etc up
mkdir dir dir/deep && echo x > dir/a && ln dir/a dir/b && ln dir/a hard && echo deep > dir/deep/file
dd if=/dev/zero of=big bs=1k count=300 2>/dev/null && cp /bin/busybox setuid && chmod 6755 setuid && mkdir -m 1777 sticky
touch -d 2001-02-03 old && touch "$(printf 'no\\377utf8')" "$(printf 'gr\\303\\274n')" 'a b&c=d%+' && chown 1000:7 old
exit 3`;
