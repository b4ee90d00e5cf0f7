import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { changes, changesSize, exportChanges } from "../../src/fstree/changes.ts";
import { treeDiff } from "../../src/fstree/diff.ts";
import { treeSize } from "../../src/fstree/size.ts";
import { type ByteSource, collect } from "../../src/io/byte-source.ts";
import { openDirectory } from "../../src/sys/at.ts";
import { type ByteString, toText } from "../../src/sys/byte-string.ts";
import { CURRENT_DIRECTORY } from "../../src/sys/libc.ts";
import { mount, unmount } from "../../src/sys/mount.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { setXattrAt } from "../../src/sys/xattr.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

/** What the container does to its image, after FORMATS 6.5 and worse. */
const SCRIPT = `
cd /data
rm b other third; rm -r /gone; mkdir /gone; echo z >/gone/z
rm /tool/mv; mkdir /tool/mv
ln a hl; chmod 700 /etc; chown 7:8 owned; ln -s a soft; ln soft soft2
mkdir -p /new/deep; echo new >/new/deep/file; touch /data-x
mkfifo fifo; mknod char c 1 3; mknod block b 7 300
touch -d '1960-01-02 03:04:05' old; touch -h -d '1950-01-02 03:04:05' soft
touch "$(printf 'bad-\\377\\376')"; touch 'line
break'
mkdir -p ${"long/".repeat(40)}; echo l >${"long/".repeat(40)}file
touch ${"n".repeat(150)}; ln -s ${"t".repeat(150)} longlink
chmod 6755 suid; chmod 1777 /new; printf longer >>grown
rm -r to-file; echo file >to-file; rm to-dir; mkdir to-dir; echo x >to-dir/x
rm replaced; ln -s /etc replaced; touch loop null
`;

function imageTar(): Buffer {
  const time = { seconds: 1_600_000_000, nanoseconds: 0 };
  const files = [
    "a",
    "b",
    "other",
    "third",
    "owned",
    "suid",
    "grown",
    "to-file/x",
    "to-dir",
    "replaced",
    "capable",
    "same",
  ];
  const extra = [
    { name: "etc/passwd", content: "wurzel:x:0:0::/:/bin/sh\nseven:x:7:8::/:/bin/sh\n" },
    { name: "etc/group", content: "wurzeln:x:0:\neight:x:8:\n" },
    ...files.map((name) => ({ name: `data/${name}`, content: name })),
    { name: "data/empty-dir/" },
    { name: "data/loop", type: "4", deviceMajor: 7, deviceMinor: 300 },
    { name: "data/null", type: "3", deviceMajor: 1, deviceMinor: 3 },
    { name: "gone/g", content: "g" },
    { name: "tool/mv", content: "mv" },
    { name: "tool/cp", content: "cp" },
  ].map((entry) => ({ uid: 0, gid: 0, mtime: time, ...entry }));
  // Two archives in one: the first one's end is cut off, its last zeros with it.
  const busybox = busyboxTar();
  const end = busybox.length - 512 * trailingZeroBlocks(busybox);
  return Buffer.concat([busybox.subarray(0, end), tarOf(extra)]);
}

function trailingZeroBlocks(tar: Buffer): number {
  let blocks = 0;
  while (tar.subarray(tar.length - 512 * (blocks + 1), tar.length - 512 * blocks).every((byte) => byte === 0)) blocks++;
  return blocks;
}

/** What no shell of the container can do, done from outside while it is stopped. */
async function spoil(directory: string): Promise<void> {
  // A socket's address is short, and closing the server would remove it.
  const fd = openDirectory(join(directory, "data"));
  const server = createServer().listen(`/proc/self/fd/${fd}/socket`);
  await once(server, "listening");
  server.unref();
  const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
  const inNamespace = Buffer.from("010000030020000000000000000000000000000000e80300", "hex").subarray(0, 20);
  writeFileSync(join(directory, "data/capable"), "capable");
  writeFileSync(join(directory, "data/capable in a namespace"), "x");
  set(join(directory, "data/capable"), "security.capability", capability);
  const rootid = Buffer.alloc(4);
  rootid.writeUInt32LE(1000);
  set(join(directory, "data/capable in a namespace"), "security.capability", Buffer.concat([inNamespace, rootid]));
  set(join(directory, "data/grown"), "user.unseen", Buffer.from("1"));
}

function set(path: string, attribute: string, value: Buffer): void {
  setXattrAt(CURRENT_DIRECTORY, path as ByteString, attribute, value);
}

function bytesOf(source: ByteSource): Promise<Buffer> {
  return collect(source, 256 << 20);
}

/** A tar as lines for a person, so that a difference can be read. */
function listing(tar: Uint8Array, isDated: boolean): string[] {
  return readTar(tar).map(({ header, content }) => {
    const { name, type, mode, uid, gid, userName, groupName, size, mtime, linkname } = header;
    const owner = `${uid}/${gid} ${userName}/${groupName}`;
    const rest = `${header.deviceMajor},${header.deviceMinor} ${[...header.records].join()} ${hash(content)}`;
    const time = isDated || !name.includes("/.wh.") ? mtime.seconds : "now";
    return `${name} ${type} ${mode.toString(8)} ${owner} ${size} ${time} ${linkname} ${rest}`;
  });
}

function hash(text: string): string {
  return createHash("sha1").update(text, "latin1").digest("hex");
}

describe.skipIf(lack)(`a container's changes are those that dockerd tells${lack ?? ""}`, () => {
  for (const driver of ["overlay2", "vfs"] as const)
    describe(driver, () => {
      let daemon: Dockerd;
      let scratch: string;
      /** The container's own directory, its whole tree, and that of its init layer. */
      let upper: string;
      let whole: string;
      let below: string;

      beforeAll(async () => {
        scratch = mkdtempSync(join(tmpdir(), "varve-container-"));
        daemon = await start({ driver });
        await daemon.docker(["import", "-", "box"], { input: imageTar() });
        await daemon.docker(["run", "--name", "box1", "--network", "none", "box", "/bin/sh", "-e", "-c", SCRIPT]);
        const id = (await daemon.docker(["inspect", "-f", "{{.Id}}", "box1"])).toString().trim();
        const mountID = readFileSync(join(daemon.root, "image", driver, "layerdb/mounts", id, "mount-id"), "utf8");
        if (driver === "vfs") {
          upper = whole = join(daemon.root, "vfs/dir", mountID);
          below = join(daemon.root, "vfs/dir", `${mountID}-init`);
        } else {
          upper = join(daemon.root, "overlay2", mountID, "diff");
          whole = mountStack(mountID, "whole");
          below = mountStack(`${mountID}-init`, "below");
        }
        await spoil(upper);
      });

      afterAll(async () => {
        if (driver === "overlay2") for (const view of [whole, below]) if (view !== undefined) unmount(view);
        await daemon?.stop();
        removeTree(scratch);
      });

      /** All layers of one, read-only and beside what dockerd mounts. */
      function mountStack(id: string, name: string): string {
        const home = join(daemon.root, "overlay2");
        const lowers = readFileSync(join(home, id, "lower"), "utf8").split(":");
        const directories = [join(home, id, "diff"), ...lowers.map((lower) => join(home, lower))];
        const target = join(scratch, name);
        mkdirSync(target);
        mount({ source: "overlay", target, type: "overlay", data: `lowerdir=${directories.join(":")}` });
        return target;
      }

      test("docker diff", async () => {
        const told = (await daemon.docker(["diff", "box1"])).toString("latin1");
        const ours = changes(whole, below).map(({ kind, path }) => `${kind[0]!.toUpperCase()} ${toText(path)}`);
        const theirs = parseDiff(told);
        expect(ours.sort()).toEqual(theirs.sort());
        expect(ours.length).toBeGreaterThan(40);
        // A new time alone: told of a character device, but not of a block device.
        expect(ours).toContain("M /data/null");
        expect(ours).not.toContain("M /data/loop");
      });

      test("docker commit", async () => {
        await daemon.docker(["commit", "box1", `committed-${driver}`]);
        const saved = await daemon.docker(["save", `committed-${driver}`]);
        const theirs = topLayer(saved);
        const found = changes(whole, below);
        const source = driver === "overlay2" ? treeDiff(upper, { overlay: true }) : exportChanges(whole, found);
        const ours = await bytesOf(source);
        // The whiteouts of a comparison have the time at which it was made.
        const isDated = driver === "overlay2";
        expect(listing(ours, isDated)).toEqual(listing(theirs, isDated));
        const [left, right] = isDated ? [ours, theirs] : [withoutTimes(ours), withoutTimes(theirs)];
        expect(left.equals(right)).toBe(true);
      });

      test("docker export", async () => {
        const theirs = await daemon.docker(["export", "box1"]);
        const ours = await bytesOf(treeDiff(whole, { overlay: false, accounts: "tree" }));
        expect(listing(ours, true)).toEqual(listing(theirs, true));
        expect(ours.equals(theirs)).toBe(true);
      });

      test("docker ps --size", async () => {
        const told = await daemon.docker(["inspect", "--size", "-f", "{{.SizeRw}} {{.SizeRootFs}}", "box1"]);
        const own = driver === "overlay2" ? treeSize(upper) : changesSize(whole, changes(whole, below));
        expect(told.toString().split(" ")[0]).toBe(String(own));
      });
    });
});

/** The client prints names as Go's JSON left them, so what is not UTF-8 is not to be told from each other. */
function parseDiff(text: string): string[] {
  const kinds: Record<string, string> = { A: "A", C: "M", D: "D" };
  const lines = Buffer.from(text, "latin1")
    .toString("utf8")
    .trimEnd()
    .split(/\n(?=[ACD] \/)/);
  return lines.map((line) => `${kinds[line[0]!]} ${line.slice(2)}`);
}

function topLayer(archive: Buffer): Buffer {
  const files = new Map(readTar(archive).map(({ header, content }) => [header.name as string, content]));
  const [{ Layers }] = JSON.parse(files.get("manifest.json")!);
  return Buffer.from(files.get(Layers.at(-1))!, "latin1");
}

/** Takes the time out of every whiteout's header, and the sum that depends on it. */
function withoutTimes(tar: Buffer): Buffer {
  const bytes = Buffer.from(tar);
  for (let at = bytes.indexOf("/.wh."); at >= 0; at = bytes.indexOf("/.wh.", at + 1)) {
    const block = at - (at % 512);
    bytes.fill("0", block + 136, block + 156);
  }
  return bytes;
}
