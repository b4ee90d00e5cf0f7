/**
 * A program that uses Varve as anybody does who installed it: it knows only what the package exports. It plays the
 * scenes below, each on a data-root of its own, and prints as JSON what became of each.
 *
 *     node stranger.js <examples/quickstart.tar> <archive of a large image> <scratch directory>
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  createReadStream,
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import {
  type ByteSource,
  defaultRoot,
  type ErrorCode,
  type FileEntry,
  fromText,
  type ImageID,
  isVarveError,
  type LoadEvent,
  openStore,
  type RemovedItem,
  type StoreEvent,
  toBytes,
  toText,
  VarveError,
} from "varve";
import { END_OF_ARCHIVE, encodeHeader, type Header, newHeader, paddingOf, TarReader } from "varve/tar";

const [QUICKSTART, LARGE, SCRATCH] = process.argv.slice(2) as [string, string, string];
const ONE = "varve/quickstart:1";
const LATEST = "varve/quickstart:latest";
const ID: ImageID = "sha256:d782c4a7564791e50e19f888fc82dc8b19cc829706b3237b6d77e7599e1d7ea2";
const isRoot = process.getuid!() === 0;

const SCENES: Readonly<Record<string, (root: string) => Promise<void>>> = {
  async "an archive is loaded from a path, and its events tell the story"(root) {
    await using store = await openStore({ root });
    const events: LoadEvent[] = [];
    const loaded = await store.load(QUICKSTART, { onEvent: (event) => events.push(event) });
    assert.deepEqual(loaded, [{ id: ID, references: [ONE, LATEST] }]);
    const layers = events.filter((event) => event.kind === "layer");
    assert.equal(new Set(layers.map(({ diffID }) => diffID)).size, 3);
    assert(layers.every(({ current, total }) => current <= total));
    assert.deepEqual(events.at(-1), { kind: "image", id: ID, references: [ONE, LATEST] });

    events.length = 0;
    await store.load(QUICKSTART, { onEvent: (event) => events.push(event) });
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ["layer-exists", "layer-exists", "layer-exists", "image"],
    );
  },

  async "an archive is loaded from a Readable, compressed or not, and from any async iterable"(root) {
    const bytes = readFileSync(QUICKSTART);
    async function* inPieces(): ByteSource {
      const piece = Buffer.alloc(10_007);
      for (let at = 0; at < bytes.length; at += piece.length) yield piece.subarray(0, bytes.copy(piece, 0, at));
    }
    const zipped = createReadStream(QUICKSTART).pipe(createGzip());
    const sources = {
      readable: createReadStream(QUICKSTART),
      zipped,
      pieces: inPieces(),
      web: new Blob([bytes]).stream(),
    };
    for (const [name, source] of Object.entries(sources)) {
      await using store = await openStore({ root: join(root, name) });
      assert.deepEqual(await store.load(source), [{ id: ID, references: [ONE, LATEST] }], name);
    }
  },

  async "images, inspect, config, history and layers agree about an image"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    const [image, ...others] = await store.images();
    assert(image !== undefined && others.length === 0);
    assert.equal(image.id, ID);
    assert.deepEqual(image.tags, [ONE, LATEST]);
    assert.equal(image.labels?.["org.opencontainers.image.title"], "varve quickstart");
    assert.deepEqual(await store.images({ filters: { reference: ["other*"] } }), []);
    assert.equal((await store.images({ all: undefined, filters: { dangling: undefined } })).length, 1);

    const inspected = await store.inspect(ID.slice(7, 19));
    assert.equal(inspected.Id, ID);
    assert.deepEqual(inspected.Config?.Cmd, ["/bin/sh", "-c", "cat /etc/motd"]);
    assert.equal(inspected.Size, image.size);

    const config = await store.config(LATEST);
    assert.equal(`sha256:${createHash("sha256").update(config).digest("hex")}`, ID);

    const layers = await store.layers(ONE);
    assert.deepEqual(
      layers.map(({ diffID }) => diffID),
      inspected.RootFS.Layers,
    );
    const history = await store.history(ONE);
    assert.equal(history[0]?.id, ID);
    assert.deepEqual(
      history
        .filter(({ size }) => size > 0)
        .map(({ size }) => size)
        .reverse(),
      layers.map(({ size }) => size).filter((size) => size > 0),
    );
    const { images, driver, durability } = await store.info();
    assert.deepEqual([images, driver, durability], [1, store.driver, "layer"]);
    assert.equal((await store.df()).images.size, image.size);
    assert.equal(store.root, root);
    assert.equal(typeof defaultRoot({ VARVE_ROOT: root }), "string");
  },

  async "files of an image are listed, looked at, read and packed without unpacking it"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    const names = (entries: FileEntry[]): string[] => entries.map(({ name }) => toText(name));
    assert.deepEqual(names(await store.list(ONE, "/data")), ["a", "setuid"]);
    assert.deepEqual(names(await store.list(ONE, toBytes(fromText("/opq")))), ["new"]);
    assert.equal((await store.stat(ONE, "/data/setuid")).mode, 0o4711);
    const link = await store.stat(ONE, "/bin/sh");
    assert.deepEqual([link.kind, link.linkTarget && toText(link.linkTarget)], ["symlink", "busybox"]);
    assert.deepEqual([(await store.stat(ONE, "/bin/sh", { follow: true })).size], [1_982_256]);
    assert.equal((await store.stat(ONE, "/tmp/pipe")).kind, "fifo");
    assert.equal(await text(store.read(ONE, "/etc/motd")), "Layers of mud, one a year: a varve.\n");

    const chunks: Uint8Array[] = [];
    for await (const chunk of store.read(ONE, "/bin/busybox")) chunks.push(chunk);
    assert(chunks.length > 1);
    const original = contentOf(await buffer(store.archive(ONE, "/bin")), "bin/busybox");
    assert.equal(original.length, 1_982_256);
    assert(Buffer.concat(chunks).equals(original));

    const entries = headersOf(await buffer(store.archive(ONE, "/etc")));
    assert.deepEqual(
      entries.map(({ name }) => toText(name)),
      ["etc/", "etc/issue", "etc/motd", "etc/passwd"],
    );
    await fails("not-found", store.stat(ONE, "/none"));
    await fails("invalid-argument", store.list(ONE, "/etc/motd"));
    await fails("not-found", text(store.read(ONE, "/none")));
    await fails("invalid-argument", text(store.read(ONE, "/etc")));
    await fails("cancelled", store.list(ONE, "/", { signal: AbortSignal.abort() }));
    await fails("cancelled", buffer(store.read(ONE, "/bin/busybox", { signal: AbortSignal.abort() })));
  },

  async "what is saved is what was loaded, however it is read"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    const expected = readFileSync(QUICKSTART);
    const both = [ONE, LATEST];
    const chunks: Uint8Array[] = [];
    for await (const chunk of store.save(both)) chunks.push(chunk);
    assert(Buffer.concat(chunks).equals(expected), "as collected");
    assert((await buffer(Readable.from(store.save(both)))).equals(expected), "as a Readable");
    const path = join(root, "saved.tar");
    await pipeline(store.save(both), createWriteStream(path, { highWaterMark: 1 << 30 }));
    assert(readFileSync(path).equals(expected), "as piped");
    let seen = 0;
    for await (const _ of store.save(both, {
      format: undefined,
      onEvent: ({ current }) => (seen = Math.max(seen, current)),
    }));
    assert.equal(seen, 2_007_040);
  },

  async "every format is another archive of the same image"(root) {
    await using store = await openStore({ root: join(root, "first") });
    await store.load(QUICKSTART);
    const members = new Map<string, string[]>();
    for (const format of ["docker", "docker-25", "oci"] as const) {
      await using other = await openStore({ root: join(root, format) });
      const archive = await buffer(store.save([ONE], { format }));
      members.set(
        format,
        headersOf(archive).map(({ name }) => toText(name)),
      );
      assert.deepEqual((await other.load(Readable.from([archive])))[0]?.id, ID, format);
    }
    const has = (name: string): string[] =>
      [...members].filter(([, names]) => names.includes(name)).map(([format]) => format);
    assert.deepEqual(has("repositories"), ["docker", "docker-25"]);
    assert.deepEqual(has("oci-layout"), ["docker-25", "oci"]);
  },

  async "an image is copied from root to root as a stream"(root) {
    await using from = await openStore({ root: join(root, "from") });
    await using to = await openStore({ root: join(root, "to"), durability: "none" });
    await from.load(QUICKSTART);
    assert.deepEqual(await to.load(from.save(["varve/quickstart"])), [{ id: ID, references: [ONE, LATEST] }]);
  },

  async "tags come and go; dry runs tell what would go, and nothing goes"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    await store.tag(ONE, "mine:2");
    assert.deepEqual((await store.images())[0]?.tags, ["mine:2", ONE, LATEST]);
    assert.deepEqual(await store.remove("mine:2", { dryRun: true }), [{ untagged: "mine:2" }]);
    assert.deepEqual(await store.remove("mine:2"), [{ untagged: "mine:2" }]);
    await fails("conflict", store.remove(ID));

    const before = snapshot(root);
    const plan = await store.remove(ID, { force: true, dryRun: true });
    assert.deepEqual(snapshot(root), before);
    assert.equal((await store.images()).length, 1);
    assert.deepEqual(
      plan.filter((item) => "untagged" in item),
      [{ untagged: ONE }, { untagged: LATEST }],
    );
    assert.equal(deletedOf(plan).length, 4);
    await fails("cancelled", store.remove(ID, { force: true, signal: AbortSignal.abort() }));
    assert.deepEqual(snapshot(root), before);
    assert.deepEqual(await store.remove(ID, { force: true }), plan);
    assert.deepEqual(await store.images({ all: true }), []);
    await fails("not-found", store.remove(ID));
  },

  async "a tree becomes an image, and what nothing names any more is pruned"(root) {
    await using store = await openStore({ root });
    let read = 0;
    const first = await store.import(tarOf("etc/motd", "first"), {
      reference: "base:1",
      onBytes: (total) => (read = total),
    });
    assert.equal(read, 2048);
    const second = await store.import(tarOf("etc/motd", "second"), {
      reference: "base:1",
      changes: ['CMD ["/bin/sh"]'],
    });
    assert.equal(await text(store.read("base:1", "/etc/motd")), "second");
    assert.deepEqual((await store.inspect("base:1")).Config?.Cmd, ["/bin/sh"]);

    const before = snapshot(root);
    const plan = await store.prune({ dryRun: true });
    assert.deepEqual(deletedOf(plan.removed)[0], first);
    assert.deepEqual(snapshot(root), before);
    const done = await store.prune({ filters: { until: undefined } });
    assert.deepEqual(done, plan);
    assert.deepEqual(
      (await store.images({ all: true })).map(({ id }) => id),
      [second],
    );
  },

  async "a load that is cancelled midway leaves the root as it was"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    const before = snapshot(root);
    const midway = new AbortController();
    let layers = 0;
    const onEvent = (event: LoadEvent): void => {
      if (event.kind === "layer" && event.current === event.total) layers++;
      if (event.kind === "layer" && layers === 1 && event.current < event.total) midway.abort();
    };
    await fails("cancelled", store.load(LARGE, { signal: midway.signal, onEvent }));
    assert.equal(layers, 1);
    assert.deepEqual(snapshot(root), before);

    async function* stuck(): ByteSource {
      yield readFileSync(LARGE).subarray(0, 1 << 20);
      await new Promise(() => {});
    }
    const impatient = new AbortController();
    setTimeout(() => impatient.abort(), 50);
    await fails("cancelled", store.load(stuck(), { signal: impatient.signal }));
    assert.deepEqual(snapshot(root), before);
    await fails("cancelled", store.load(QUICKSTART, { signal: AbortSignal.abort("for a reason of my own") }));
    assert.equal((await store.load(LARGE)).length, 1);
  },

  async "a save that is cancelled, or left, midway leaves the root as it was"(root) {
    await using store = await openStore({ root });
    await store.load(LARGE);
    const before = snapshot(root);
    const midway = new AbortController();
    let chunks = 0;
    const saving = async (): Promise<void> => {
      for await (const _ of store.save(["large:1"], { signal: midway.signal })) if (++chunks === 10) midway.abort();
    };
    await fails("cancelled", saving());
    assert.equal(chunks, 10);
    for await (const _ of store.save(["large:1"])) break;
    assert.deepEqual(snapshot(root), before);
    assert((await buffer(store.save(["large:1"]))).length > 9 << 20);
    await using other = await openStore({ root });
    assert.equal(deletedOf(await other.remove("large:1")).length, 4); // what was read is nobody's any more
  },

  async "events are told afterwards and as they happen"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    const stop = new AbortController();
    const happening = (async (): Promise<StoreEvent[]> => {
      const seen: StoreEvent[] = [];
      for await (const event of store.events({ signal: stop.signal })) {
        seen.push(event);
        if (event.action === "untag") stop.abort();
      }
      return seen;
    })();
    await using other = await openStore({ root });
    await other.tag(ONE, "mine:2");
    await other.remove("mine:2");
    assert.deepEqual(
      (await happening).map(({ type, action }) => `${type} ${action}`),
      ["image tag", "image untag"],
    );
    const past: string[] = [];
    for await (const { action, id } of store.events({ since: 0n, until: BigInt(Date.now()) * 1_000_000n }))
      past.push(`${action} ${id}`);
    assert.deepEqual(past, [`load ${ID}`, `tag ${ID}`, `untag ${ID}`]);
  },

  async "a container is made, written to, compared, committed and deleted; or told to need root"(root) {
    await using store = await openStore({ root });
    await store.load(QUICKSTART);
    if (!isRoot) {
      const before = snapshot(root);
      const error = await fails("permission", store.create(ONE));
      assert.match(error.message, /root/);
      assert.deepEqual(snapshot(root), before);
      return;
    }
    const id = await store.create(ONE, { name: "box" });
    const path = await store.mount("box");
    writeFileSync(join(path, "etc/motd"), "changed\n");
    await store.unmount("box");
    await store.copyIn("box", "/data", tarOf("copied", "in"));
    const changes = await store.diff(id);
    assert(changes.some((change) => change.kind === "C" && change.path === "/etc/motd"));
    assert(changes.some((change) => change.kind === "A" && change.path === "/data/copied"));
    assert.equal(await text(store.read("box", "/data/copied")), "in");
    const committed = await store.commit("box", { reference: "boxed:1", author: "a stranger", signal: undefined });
    assert.equal(await text(store.read(committed, "/etc/motd")), "changed\n");
    assert(headersOf(await buffer(store.export("box"))).some(({ name }) => toText(name) === "data/copied"));
    assert.equal((await store.containers({ size: true }))[0]?.image, ONE);
    assert.equal((await store.inspectContainer("box")).State.Status, "created");
    await store.removeContainer("box", { dryRun: true });
    await store.removeContainer("box");
    assert.deepEqual(await store.containers(), []);
  },

  async "errors have codes, which narrow"(root) {
    await using store = await openStore({ root });
    const error = await fails("not-found", store.inspect("none"));
    assert(error instanceof VarveError && error.httpStatus === 404 && error.exitCode === 1);
    const unknown: unknown = error;
    if (isVarveError(unknown, "not-found")) {
      const code: "not-found" = unknown.code;
      assert.equal(code, "not-found");
    } else assert.fail("it was one");
    if (isVarveError(unknown)) {
      const code: ErrorCode = unknown.code;
      assert.equal(isVarveError(unknown, "conflict"), false);
      if (!isVarveError(unknown, "conflict")) assert.equal(unknown.code, code); // still a VarveError
    }
    assert.equal(isVarveError(new Error("other")), false);
    await fails("invalid-reference", store.inspect("Not A Name"));
    await fails("not-found", store.load(join(root, "none.tar")));
    await fails("invalid-archive", store.load(Readable.from([Buffer.alloc(4096, "no tar")])));
    await fails("unsupported", openStore({ root, driver: "none" }));
    const small = await openStore({ root, limits: { layerBytes: 1 << 20 } });
    await fails("too-large", small.load(QUICKSTART));
    await small.close();
    assert.deepEqual(await store.images({ all: true }), []);
  },

  async "a store is closed at the end of its block"(root) {
    let closed = 0;
    {
      await using store = await openStore({ root });
      const close = store.close.bind(store);
      store.close = () => {
        closed++;
        return close();
      };
    }
    assert.equal(closed, 1);
  },

  async "names that are no text are found by their bytes"(root) {
    await using store = await openStore({ root });
    const name = Buffer.from("d/\xff\xfe", "latin1");
    await store.import(tarOf(name, "bytes"), { reference: "odd:1" });
    const [entry] = await store.list("odd:1", "d");
    assert(entry !== undefined && toBytes(entry.name).equals(name.subarray(2)));
    assert.equal(await text(store.read("odd:1", name)), "bytes");
    await fails("not-found", store.stat("odd:1", `d/${toText(entry.name)}`));
  },
};

const results: Record<string, string> = {};
for (const [i, [name, scene]] of Object.entries(SCENES).entries()) {
  const root = join(SCRATCH, `${i}`);
  mkdirSync(root);
  console.error(name);
  results[name] = await scene(root).then(
    () => "well",
    (error: Error) => error.stack ?? String(error),
  );
}
console.log(JSON.stringify(results));

async function fails<Code extends ErrorCode>(code: Code, work: Promise<unknown>): Promise<VarveError & { code: Code }> {
  try {
    await work;
  } catch (error) {
    if (isVarveError(error, code)) return error;
    throw new Error(`expected ${code}`, { cause: error });
  }
  throw new Error(`expected ${code}, and it went well`);
}

/** Every file with its content, but for what the processes on a root tell each other. */
function snapshot(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => !/^varve(\/|$)/.test(name))
    .sort()
    .map((name) => {
      const stat = statSync(join(root, name), { throwIfNoEntry: false });
      return stat?.isFile()
        ? `${name} ${createHash("sha256")
            .update(readFileSync(join(root, name)))
            .digest("hex")}`
        : name;
    });
}

async function* tarOf(name: string | Uint8Array, content: string): ByteSource {
  const path = typeof name === "string" ? fromText(name) : (Buffer.from(name).toString("latin1") as Header["name"]);
  yield encodeHeader(
    newHeader({ name: path, mode: 0o644, size: content.length, mtime: { seconds: 0, nanoseconds: 0 } }),
  );
  yield Buffer.from(content);
  yield paddingOf(content.length);
  yield END_OF_ARCHIVE;
}

function headersOf(tar: Buffer): Header[] {
  const headers: Header[] = [];
  const reader = new TarReader({ raw() {}, payload() {}, header: (header) => headers.push(header) });
  reader.write(tar);
  reader.end();
  return headers;
}

function contentOf(tar: Buffer, wanted: string): Buffer {
  const chunks: Buffer[] = [];
  let current = "";
  const reader = new TarReader({
    raw() {},
    header: ({ name }) => {
      current = toText(name);
    },
    payload: (bytes) => {
      if (current === wanted) chunks.push(Buffer.from(bytes));
    },
  });
  reader.write(tar);
  reader.end();
  return Buffer.concat(chunks);
}

function deletedOf(items: readonly RemovedItem[]): string[] {
  return items.flatMap((item) => ("deleted" in item ? [item.deleted] : []));
}
