/** A store to test, of this process or of a daemon, and what there is to load into it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server } from "../../src/daemon/server.ts";
import { digestOf } from "../../src/digest/digest.ts";
import type { AnyStore } from "../../src/engine/any-store.ts";
import { openStore, type Store } from "../../src/engine/store.ts";
import type { StoreOptions } from "../../src/engine/workspace.ts";
import type { ByteSource } from "../../src/io/byte-source.ts";
import { connectStore } from "../../src/remote/connect.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";

export interface Bench extends AsyncDisposable {
  readonly directory: string;
  readonly root: string;
  readonly store: AnyStore;
}

export type MakeBench = (options: StoreOptions) => Promise<Bench>;

export async function localBench(options: StoreOptions): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), "varve-local-"));
  const root = join(directory, "root");
  const store = await openStore({ durability: "none", threads: 0, ...options, root });
  return {
    ...{ directory, root, store },
    async [Symbol.asyncDispose]() {
      await store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A daemon in this process, and a store that is connected to it. */
export class RemoteBench implements Bench {
  readonly directory: string;
  readonly root: string;
  readonly socket: string;
  readonly host: string;
  /** The daemon's store, as the daemon uses it. */
  readonly own: Store;
  readonly store: AnyStore;
  readonly #local: Bench;
  #server: Server;

  static async make(options: StoreOptions): Promise<RemoteBench> {
    const local = await localBench(options);
    const own = await openStore({ durability: "none", threads: 0, ...options, root: local.root });
    const socket = join(local.directory, "varve.sock");
    const server = await serve(own, socket);
    return new RemoteBench(local, own, socket, server, await connectStore({ host: `unix://${socket}` }));
  }

  private constructor(local: Bench, own: Store, socket: string, server: Server, store: AnyStore) {
    this.directory = local.directory;
    this.root = local.root;
    this.socket = socket;
    this.host = `unix://${socket}`;
    this.own = own;
    this.store = store;
    this.#local = local;
    this.#server = server;
  }

  async stop(): Promise<void> {
    await this.#server.stop(0);
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#server = await serve(this.own, this.socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await this.stop();
    await this.#local[Symbol.asyncDispose]();
  }
}

function serve(store: Store, socket: string): Promise<Server> {
  return Server.start(store, { places: [{ kind: "unix", path: socket }], log: () => {} });
}

/** A name that is no UTF-8. */
export const ODD_NAME: Buffer = Buffer.from("caf\xe9", "latin1");

export const LAYERS: readonly Buffer[] = [
  tarOf([
    { name: "etc/", uid: 0, gid: 0 },
    { name: "etc/motd", content: "hello\n", uid: 0, gid: 0 },
    { name: "etc/link", linkname: "motd", type: "2", uid: 0, gid: 0 },
    { name: ODD_NAME.toString("latin1"), content: "odd", uid: 0, gid: 0, xattrs: { "user.a": "\xff\0b" } },
  ]),
  tarOf([{ name: "big", content: "x".repeat(300_000), uid: 0, gid: 0 }]),
];

/** What `docker load` takes: images of some of the layers, by their names. */
export function archiveOf(images: Readonly<Record<string, readonly Buffer[]>>): Buffer {
  const manifest: object[] = [];
  const members = new Map(
    Object.values(images).flatMap((layers) => layers.map((layer) => [`${digestOf(layer).slice(7)}.tar`, layer])),
  );
  for (const [name, layers] of Object.entries(images)) {
    const config = Buffer.from(
      JSON.stringify({
        ...{ os: "linux", architecture: "amd64", created: "2026-01-01T00:00:00.123456789Z" },
        config: { Cmd: ["/bin/sh"], Labels: { name } },
        rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
        history: layers.map((_, i) => ({ created: "2026-01-01T00:00:00Z", created_by: `layer ${i}` })),
      }),
    );
    const Config = `${digestOf(config).slice(7)}.json`;
    members.set(Config, config);
    manifest.push({ Config, RepoTags: [name], Layers: layers.map((layer) => `${digestOf(layer).slice(7)}.tar`) });
  }
  const content = [...members].map(([name, bytes]) => ({ name, content: bytes }));
  return tarOf([...content, { name: "manifest.json", content: JSON.stringify(manifest) }]);
}

/** In pieces, as bytes come over a wire. */
export async function* pieces(bytes: Uint8Array, size = 50_000): ByteSource {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
