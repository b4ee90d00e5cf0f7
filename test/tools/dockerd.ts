/**
 * The real tools that tests measure Varve against. A test that needs one skips itself when it is absent:
 *
 * @example
 * const lack = lacking("root", "dockerd");
 * describe.skipIf(lack)(`the tree of dockerd${lack ?? ""}`, () => { … });
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Places where Debian keeps what an ordinary PATH may lack. */
const TOOL_PATH = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", ...(process.env.PATH ?? "").split(":")];

export function hasTool(name: string): boolean {
  return findTool(name) !== undefined;
}

/**
 * Why a test cannot run here, as a tail for its name; undefined when everything is there. `root` stands for being root.
 * Under `VARVE_NO_SKIP`, as in the gate, whatever is missing is a failure instead.
 */
export function lacking(...tools: string[]): string | undefined {
  const missing = tools.filter((tool) => (tool === "root" ? process.getuid?.() !== 0 : !hasTool(tool)));
  if (missing.length > 0 && process.env.VARVE_NO_SKIP) throw new Error(`this machine has no ${missing.join(", no ")}`);
  return missing.length === 0 ? undefined : ` (skipped, this machine has no ${missing.join(", no ")})`;
}

export interface DockerdOptions {
  /** Storage driver; overlay2 unless told. */
  readonly driver?: string;
  /** Data-root to open; a fresh one, removed by `stop`, unless told. */
  readonly root?: string;
  readonly extraArgs?: readonly string[];
  /** Runs it with userns-remap for the user `daemon`, who gets these ranges, `start:count`, in this daemon's eyes only. */
  readonly remap?: { readonly subuid: readonly string[]; readonly subgid: readonly string[] };
}

/** A daemon of its own for a test, without a network, with Debian's client beside it. */
export interface Dockerd extends AsyncDisposable {
  readonly root: string;
  /** Where the daemon listens, for clients that are not `docker`. */
  readonly socket: string;
  readonly pid: number;
  /** Runs the client and returns what it printed; its failure is an error with what it printed on stderr. */
  docker(args: readonly string[], options?: { readonly input?: Uint8Array | string }): Promise<Buffer>;
  /** Ends the daemon, unmounts what it left, and removes the data-root if `start` made it. */
  stop(): Promise<void>;
}

export async function start(options: DockerdOptions = {}): Promise<Dockerd> {
  const scratch = mkdtempSync(join(tmpdir(), "varve-dockerd-"));
  // A remapped root must be able to pass.
  chmodSync(scratch, 0o711);
  const root = options.root ?? join(scratch, "data");
  const socket = join(scratch, "docker.sock");
  const log = join(scratch, "log");
  mkdirSync(root, { recursive: true });
  const logFile = openSync(log, "a");
  const [command, ...prefix] = options.remap ? seeing(options.remap, scratch) : [];
  const daemon = spawn(
    command ?? tool("dockerd"),
    [
      ...(command === undefined ? [] : [...prefix, tool("dockerd"), "--userns-remap=daemon"]),
      ...[
        "--data-root",
        root,
        "--exec-root",
        join(scratch, "exec"),
        "-p",
        join(scratch, "pid"),
        "-H",
        `unix://${socket}`,
      ],
      ...["--bridge=none", "--iptables=false", "--storage-driver", options.driver ?? "overlay2"],
      ...(options.extraArgs ?? []),
    ],
    { stdio: ["ignore", logFile, logFile], env: { ...process.env, PATH: TOOL_PATH.join(":") } },
  );
  closeSync(logFile);
  const ended = new Promise<void>((resolve) => {
    daemon.once("exit", () => resolve());
    daemon.once("error", () => resolve());
  });

  const docker: Dockerd["docker"] = (args, { input } = {}) =>
    run(tool("docker"), ["-H", `unix://${socket}`, ...args], input);
  const stop = async (): Promise<void> => {
    if (isRunning(daemon)) daemon.kill("SIGTERM");
    await Promise.race([ended, sleep(30_000, undefined, { ref: false })]);
    if (isRunning(daemon)) daemon.kill("SIGKILL");
    await ended;
    unmountBelow(root);
    unmountBelow(scratch);
    rmSync(scratch, { recursive: true, force: true });
  };

  for (const deadline = Date.now() + 60_000; ; await sleep(100)) {
    try {
      await docker(["version"]);
      break;
    } catch (error) {
      if (isRunning(daemon) && Date.now() < deadline) continue;
      const said = readFileSync(log, "utf8");
      await stop();
      throw new Error(`dockerd did not start:\n${said}`, { cause: error });
    }
  }
  return { root, socket, pid: daemon.pid!, docker, stop, [Symbol.asyncDispose]: stop };
}

/** A command that runs another where `/etc/subuid` and `/etc/subgid` say what they should. */
function seeing(remap: NonNullable<DockerdOptions["remap"]>, scratch: string): string[] {
  const files = (["subuid", "subgid"] as const).map((name) => {
    writeFileSync(join(scratch, name), remap[name].map((range) => `daemon:${range}\n`).join(""));
    return join(scratch, name);
  });
  const script = 'mount --bind "$1" /etc/subuid && mount --bind "$2" /etc/subgid && shift 2 && exec "$@"';
  return [tool("unshare"), "--mount", "sh", "-c", script, "sh", ...files];
}

/** A container image of one file, `/bin/busybox`, and the names it answers to; for `docker import`. */
export function busyboxTar(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "varve-busybox-"));
  try {
    mkdirSync(join(directory, "bin"));
    for (const folder of ["etc", "tmp", "usr/bin"]) mkdirSync(join(directory, folder), { recursive: true });
    execFileSync("cp", [tool("busybox"), join(directory, "bin/busybox")]);
    execFileSync(join(directory, "bin/busybox"), ["--install", "-s", join(directory, "bin")]);
    // The links point at the path that busybox was run under; inside the image it is /bin/busybox.
    execFileSync("sh", ["-c", 'for link in *; do [ -L "$link" ] && ln -sfn busybox "$link"; done'], {
      cwd: join(directory, "bin"),
    });
    return execFileSync("tar", ["-C", directory, "--numeric-owner", "--owner=0", "--group=0", "-c", "."], {
      maxBuffer: 64 << 20,
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function findTool(name: string): string | undefined {
  return TOOL_PATH.map((folder) => join(folder || ".", name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function tool(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`this machine has no ${name}`);
  return path;
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}

function run(command: string, args: readonly string[], input: Uint8Array | string | undefined): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => err.push(chunk));
    child.stdin.on("error", () => {}); // a client that refuses its input says why on stderr
    child.once("error", reject);
    child.once("close", (status) => {
      if (status === 0) resolve(Buffer.concat(out));
      else reject(new Error(`${command} ${args.join(" ")} ended with ${status}: ${Buffer.concat(err)}`));
    });
    child.stdin.end(input);
  });
}

function unmountBelow(directory: string): void {
  const points = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => (line.split(" ")[1] ?? "").replaceAll("\\040", " "))
    .filter((point) => point === directory || point.startsWith(`${directory}/`));
  for (const point of points.reverse()) execFileSync("umount", ["-l", point]);
}
