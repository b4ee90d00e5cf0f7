import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { tarDataOf } from "./v1-tar-data.ts";
import { makeV1Tree, type V1Driver, v1TreeOf } from "./v1-trees.ts";

/** An image of a v1 graph: a layer and an id at once (FORMATS 11.1). */
export interface V1Image {
  /** 64 hex characters. */
  readonly id: string;
  /** The id of an image that comes earlier in the description. */
  readonly parent?: string | undefined;
  /** The uncompressed tar, or the path of one. */
  readonly layer: Uint8Array | string;
  /**
   * The layout of its `json`: `ids`, with `id` and `parent`, as every Docker wrote it for what was made at home; or
   * `digests`, with `layer_id` and `parent_id` instead, as 1.9 wrote it for what it pulled. `ids` unless told.
   */
  readonly layout?: "ids" | "digests";
  /** Members of the `json` to replace or, as undefined, to leave out; unknown ones come last. */
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Names the parent in a file of its own, and somebody unknown in the `json`. */
  readonly parentFile?: boolean;
  /** False for a layer from before Docker 1.8. */
  readonly tarData?: boolean;
  /** False for a size that nobody has asked for yet. */
  readonly layerSize?: boolean;
  /** The digest of the compressed layer, the sum that Docker before 1.8 had, or no file. `none` unless told. */
  readonly checksum?: "digest" | "tarsum" | "none";
  /** Whether it has the JSON of a registry's manifest. */
  readonly v1Compatibility?: boolean;
}

/** A container of Docker 1.9. */
export interface V1Container {
  readonly id: string;
  /** The v1 id of its image. */
  readonly image: string;
  /** What it changed, as a layer; nothing unless told. */
  readonly changes?: Uint8Array | string;
  /** Whether it has the layer between image and container; true unless told. */
  readonly init?: boolean;
  /** Members of its `config.json` to replace or, as undefined, to leave out: `Driver`, `Name`, `Path`, `Args`, … */
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface V1GraphDescription {
  readonly driver: V1Driver;
  readonly images: readonly V1Image[];
  readonly containers?: readonly V1Container[];
  /** Repository to tag or digest to v1 id, as `repositories-<driver>` has it; written as it is. */
  readonly tags?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What a layer of a graph must turn into. */
export interface MadeV1Image {
  readonly diffID: string;
  readonly chainID: string;
  /** As the driver counts it, which is what `layersize` says. */
  readonly size: number;
  /** The bytes of its `json`. */
  readonly json: string;
}

/**
 * Writes a data-root as Docker 1.9 left it: `graph/`, the driver's trees, `repositories-<driver>` and `containers/`
 * (FORMATS 11.1, 11.2). It writes every file by itself and leaves trees to GNU tar, so that nothing in it can be wrong in
 * the same way as what reads it. Needs root, and for overlay2 a file system that can be one's upper directory. A second
 * call for the same root adds to its graph and replaces its tags.
 *
 * @returns by v1 id, what the images must be after a migration
 *
 * @example
 * const base = "b".repeat(64);
 * const made = makeV1Graph("/tmp/old", {
 *   driver: "overlay2",
 *   images: [
 *     { id: base, layer: "/tmp/base.tar", checksum: "digest" },
 *     { id: "c".repeat(64), parent: base, layer: tarOf([{ name: "etc/.wh.motd" }]), layout: "digests", tarData: false },
 *   ],
 *   tags: { "user/app": { latest: "c".repeat(64) } },
 * });
 * made.get(base)!.diffID;
 */
export function makeV1Graph(root: string, description: V1GraphDescription): Map<string, MadeV1Image> {
  const { driver, images, containers = [], tags = {} } = description;
  mkdirSync(join(root, "graph", "_tmp"), { recursive: true, mode: 0o700 });
  const made = new Map<string, MadeV1Image>();
  for (const image of images) {
    const tar = bytesOf(image.layer);
    const size = makeV1Tree(root, driver, image.id, image.parent, tar);
    made.set(image.id, writeV1Entry(root, image, tar, size, made));
  }
  for (const container of containers) makeContainer(root, driver, container);
  writeFileSync(join(root, `repositories-${driver}`), JSON.stringify({ Repositories: tags }), { mode: 0o600 });
  return made;
}

/** Writes `graph/<id>/`, without a tree. */
export function writeV1Entry(
  root: string,
  image: V1Image,
  tar: Buffer,
  size: number,
  made: ReadonlyMap<string, MadeV1Image>,
): MadeV1Image {
  const { id, parent, tarData = true, layerSize = true, checksum = "none" } = image;
  const directory = join(root, "graph", id);
  mkdirSync(directory, { mode: 0o700 });
  const write = (name: string, content: string | Uint8Array): void =>
    writeFileSync(join(directory, name), content, { mode: 0o600 });

  const blob = image.layout === "digests" || checksum === "digest" ? digestOf(gzipSync(tar)) : "";
  const json = jsonOf(image, blob, size);
  write("json", json);
  if (layerSize) write("layersize", String(size));
  if (tarData) write("tar-data.json.gz", tarDataOf(tar));
  if (checksum === "digest") write("checksum", blob);
  if (checksum === "tarsum") write("checksum", `tarsum.v1+${digestOf(tar)}`);
  if (image.v1Compatibility) write("v1Compatibility", jsonOf({ ...image, layout: "ids" }, blob, size));
  if (image.parentFile && parent !== undefined) write("parent", parent);

  const diffID = digestOf(tar);
  const below = parent === undefined ? undefined : made.get(parent)?.chainID;
  return { diffID, chainID: below === undefined ? diffID : digestOf(Buffer.from(`${below} ${diffID}`)), size, json };
}

function jsonOf(image: V1Image, blob: string, size: number): string {
  const { id, parent, layout = "ids", fields = {} } = image;
  const named = image.parentFile && parent !== undefined ? hexOf(Buffer.from(parent)) : parent;
  const members: Record<string, unknown> = {
    ...(layout === "ids" ? { id, parent: named } : {}),
    created: "2015-11-02T10:00:00.123456789Z",
    container_config: { ...EMPTY_CONFIG, Cmd: ["/bin/sh", "-c", `#(nop) ADD layer of ${id.slice(0, 12)} in /`] },
    docker_version: "1.9.1",
    config: { ...EMPTY_CONFIG, Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], Cmd: ["/bin/sh"] },
    architecture: "amd64",
    os: "linux",
    ...(layout === "ids" ? { Size: size } : {}),
    ...(layout === "digests" ? { layer_id: blob, parent_id: named && `sha256:${named}` } : {}),
    ...fields,
  };
  const entries = Object.entries(members);
  return JSON.stringify(Object.fromEntries(layout === "ids" ? entries : entries.sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** What every config of Docker 1.9 has at least, in Go's order. */
const EMPTY_CONFIG = {
  Hostname: "",
  Domainname: "",
  User: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Env: null as string[] | null,
  Cmd: null as string[] | null,
  Image: "",
  Volumes: null,
  WorkingDir: "",
  Entrypoint: null,
  OnBuild: null,
  Labels: {},
};

function makeContainer(root: string, driver: V1Driver, container: V1Container): void {
  const { id, image, init = true, fields = {} } = container;
  const layerOf = (name: string, parent: string, layer: Uint8Array | string | undefined): void => {
    makeV1Tree(root, driver, name, parent, layer === undefined ? Buffer.alloc(1024) : bytesOf(layer));
  };
  if (init) layerOf(`${id}-init`, image, undefined);
  if (init) populateInit(v1TreeOf(root, driver, `${id}-init`));
  layerOf(id, init ? `${id}-init` : image, container.changes);

  const directory = join(root, "containers", id);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const config = {
    State: { Running: false, Paused: false, Restarting: false, OOMKilled: false, Dead: false, Pid: 0, ExitCode: 0 },
    ID: id,
    Created: "2015-11-03T10:00:00Z",
    Path: "/bin/sh",
    Args: [],
    Config: { ...EMPTY_CONFIG, Hostname: id.slice(0, 12), Cmd: ["/bin/sh"], Image: image },
    Image: image,
    NetworkSettings: { Networks: null },
    Name: `/v1-${id.slice(0, 6)}`,
    Driver: driver,
    ExecDriver: "native-0.2",
    MountLabel: "",
    ProcessLabel: "",
    RestartCount: 0,
    MountPoints: {},
    ...fields,
  };
  const host = {
    Binds: null,
    NetworkMode: "none",
    RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
    LogConfig: { Type: "json-file", Config: {} },
  };
  writeFileSync(join(directory, "config.json"), JSON.stringify(config), { mode: 0o644 });
  writeFileSync(join(directory, "hostconfig.json"), JSON.stringify(host), { mode: 0o644 });
}

/** What Docker 1.9 puts between image and container (FORMATS 12.4), on images that have none of it as a link. */
function populateInit(tree: string): void {
  for (const directory of ["dev/pts", "dev/shm", "proc", "sys", "etc"]) {
    mkdirSync(join(tree, directory), { recursive: true, mode: 0o755 });
  }
  for (const file of [".dockerinit", ".dockerenv", "etc/resolv.conf", "etc/hosts", "etc/hostname", "dev/console"]) {
    writeFileSync(join(tree, file), "", { mode: 0o755 });
  }
}

function bytesOf(layer: Uint8Array | string): Buffer {
  return typeof layer === "string" ? readFileSync(layer) : Buffer.from(layer);
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${hexOf(bytes)}`;
}

function hexOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
