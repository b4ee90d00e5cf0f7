// Who is measured: Varve on each Node, dockerd, podman, skopeo, containerd's ctr, and the floor that nobody can beat.
import { execFileSync } from "node:child_process";
import { accessSync, constants, mkdirSync } from "node:fs";
import { join } from "node:path";
import { startDaemon } from "./daemon.mjs";

const PATH = ["/usr/bin", "/usr/sbin", "/bin", "/sbin", ...(process.env.PATH ?? "").split(":")];

/**
 * A store of one subject in a directory, its daemon running if it has one. The commands are argument lists; one that is
 * missing is work that the subject cannot do.
 * @typedef {object} Session
 * @property {number | undefined} [daemon]
 * @property {(input: import("./inputs.mjs").Input, durability?: string) => string[]} load
 * @property {(reference: string, file?: string) => string[]} [save] to standard output without a file
 * @property {(reference: string) => string[]} [remove]
 * @property {() => string[]} [images]
 * @property {(reference: string) => string[]} [inspect]
 * @property {() => string[]} ids prints the IDs or digests of everything in the store, among other things
 * @property {() => Promise<void>} close
 *
 * @typedef {object} Subject
 * @property {string} key what goals call it
 * @property {string} name with its version
 * @property {(home: string) => Promise<Session>} open the same home again is the same store
 * @property {string} [node] the program that runs it, of Varve
 * @property {string} [dist] where it is built, of Varve
 */

/** Varve on each of these Nodes. @param {readonly string[]} nodes programs @param {string} dist where it is built @returns {Subject[]} */
export function varves(nodes, dist) {
  return nodes.map((node) => {
    const version = execFileSync(node, ["--version"], { encoding: "utf8" }).trim().slice(1);
    const key = `varve${version.split(".")[0]}`;
    return { key, name: `varve, Node ${version}`, node, dist, open: (home) => openVarve(node, dist, home) };
  });
}

/** The peers that this machine has, and the names of those it lacks. @returns {{ peers: Subject[], missing: string[] }} */
export function findPeers() {
  const known = [
    {
      key: "dockerd",
      tools: ["dockerd", "docker"],
      open: openDockerd,
      version: () => versionOf("dockerd", "--version"),
    },
    { key: "podman", tools: ["podman"], open: openPodman, version: () => versionOf("podman", "--version") },
    { key: "skopeo", tools: ["skopeo"], open: openSkopeo, version: () => versionOf("skopeo", "--version") },
    { key: "ctr", tools: ["ctr", "containerd"], open: openCtr, version: () => versionOf("ctr", "--version") },
  ];
  const present = known.filter(({ tools }) => tools.every(findTool));
  return {
    peers: present.map(({ key, open, version }) => ({ key, name: `${key} ${version()}`, open })),
    missing: known.filter((peer) => !present.includes(peer)).map(({ key }) => key),
  };
}

/** Debian's own before any other of the name. @param {string} name */
export function findTool(name) {
  return PATH.map((folder) => join(folder || ".", name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** @param {string} name */
function tool(name) {
  const path = findTool(name);
  if (path === undefined) throw new Error(`this machine has no ${name}`);
  return path;
}

/** @param {string} name @param {string} flag */
function versionOf(name, flag) {
  return /\d+\.\d+[^\s,]*/.exec(execFileSync(tool(name), [flag], { encoding: "utf8" }))?.[0] ?? "";
}

/** @param {Subject} subject */
export function isVarve(subject) {
  return subject.node !== undefined;
}

/** Whether what a subject saves is what `docker save` writes, byte for byte. @param {Subject} subject */
export function sameBytes(subject) {
  return isVarve(subject) || subject.key === "dockerd";
}

/** @param {string} node @param {string} dist @param {string} home @returns {Promise<Session>} */
async function openVarve(node, dist, home) {
  const varve = (/** @type {string[]} */ ...args) => [
    ...[node, join(dist, "cli/main.js"), "--root", join(home, "data"), "--driver", "overlay2", ...args],
  ];
  return {
    load: ({ file }, durability = "none") => varve("--durability", durability, "load", "-q", "-i", file),
    save: (reference, file) => varve("save", ...(file === undefined ? [] : ["-o", file]), reference),
    remove: (reference) => varve("--durability", "none", "rmi", reference),
    images: () => varve("images"),
    inspect: (reference) => varve("inspect", reference),
    ids: () => varve("images", "-q", "--no-trunc"),
    close: async () => {},
  };
}

/**
 * A Varve behind its daemon, which Docker's client talks to.
 * @param {Subject} subject @param {"none" | "layer"} durability @returns {Subject}
 */
export function served({ key, name, node = "", dist = "" }, durability) {
  return {
    key: durability === "none" ? key : `${key}-${durability}`,
    name: `docker and ${name}${durability === "none" ? "" : `, durability ${durability}`}`,
    ...{ node, dist },
    open: async (home) => {
      const socket = join(home, "docker.sock");
      const store = ["--root", join(home, "data"), "--driver", "overlay2", "--durability", durability];
      const command = [node, join(dist, "cli/main.js"), ...store, "serve", "-H", `unix://${socket}`];
      return throughClient(await startDaemon({ command, home, socket, ready: pingOf(socket) }));
    },
  };
}

/** @param {string} home @returns {Promise<Session>} */
async function openDockerd(home) {
  return throughClient(await startDockerd(home));
}

/** @param {Awaited<ReturnType<typeof startDaemon>>} daemon @returns {Session} */
function throughClient({ daemon, socket, close }) {
  const docker = (/** @type {string[]} */ ...args) => [tool("docker"), "-H", `unix://${socket}`, ...args];
  return {
    daemon,
    load: ({ file }) => docker("load", "-q", "-i", file),
    save: (reference, file) => docker("save", ...(file === undefined ? [] : ["-o", file]), reference),
    remove: (reference) => docker("rmi", reference),
    images: () => docker("images"),
    inspect: (reference) => docker("inspect", reference),
    ids: () => docker("images", "-q", "--no-trunc"),
    close,
  };
}

/** A daemon of its own, without a network, until a client gets an answer. @param {string} home */
export function startDockerd(home) {
  const root = join(home, "data");
  const socket = join(home, "docker.sock");
  const command = [
    ...[tool("dockerd"), "--data-root", root, "--exec-root", join(home, "exec"), "-p", join(home, "pid")],
    ...["-H", `unix://${socket}`, "--bridge=none", "--iptables=false", "--storage-driver", "overlay2"],
  ];
  return startDaemon({ command, home, socket, ready: pingOf(socket) });
}

/** @param {string} socket */
function pingOf(socket) {
  return [tool("docker"), "-H", `unix://${socket}`, "images", "-q"];
}

/** @param {string} home @returns {Promise<Session>} */
async function openPodman(home) {
  const podman = (/** @type {string[]} */ ...args) => [
    ...[tool("podman"), "--root", join(home, "data"), "--runroot", join(home, "run"), "--storage-driver", "overlay"],
    ...args,
  ];
  return {
    load: ({ file }) => podman("load", "-q", "-i", file),
    save: (reference, file) => podman("save", "-q", ...(file === undefined ? [] : ["-o", file]), reference),
    remove: (reference) => podman("rmi", reference),
    images: () => podman("images"),
    inspect: (reference) => podman("inspect", reference),
    ids: () => podman("images", "-q", "--no-trunc"),
    close: async () => {},
  };
}

/** @param {string} home @returns {Promise<Session>} */
async function openSkopeo(home) {
  const store = `[overlay@${join(home, "data")}+${join(home, "run")}]`;
  const skopeo = (/** @type {string[]} */ ...args) => [tool("skopeo"), "--insecure-policy", ...args];
  const stored = (/** @type {string} */ reference) => `containers-storage:${store}docker.io/${reference}`;
  return {
    load: ({ file, reference }) => skopeo("copy", "-q", `docker-archive:${file}`, stored(reference)),
    save: (reference, file) => skopeo("copy", "-q", stored(reference), `docker-archive:${file}:${reference}`),
    ids: () => skopeo("inspect", "--raw", stored("varve-bench/real:latest")),
    close: async () => {},
  };
}

/** @param {string} home @returns {Promise<Session>} */
async function openCtr(home) {
  mkdirSync(home, { recursive: true });
  const socket = join(home, "containerd.sock");
  const ctr = (/** @type {string[]} */ ...args) => [tool("ctr"), "-a", socket, "-n", "bench", "images", ...args];
  const { daemon, close } = await startDaemon({
    command: [tool("containerd"), "--root", join(home, "data"), "--state", join(home, "run"), "--address", socket],
    home,
    socket,
    ready: ctr("ls", "-q"),
  });
  return {
    daemon,
    load: ({ file }) => ctr("import", "--snapshotter", "overlayfs", file),
    remove: (reference) => ctr("rm", "--sync", `docker.io/${reference}`),
    images: () => ctr("ls"),
    ids: () => [tool("ctr"), "-a", socket, "-n", "bench", "content", "ls"],
    close,
  };
}
