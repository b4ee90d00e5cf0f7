import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Stores } from "../../src/archive/archive.ts";
import { type CommitOptions, type CommitSource, commitContainer } from "../../src/archive/commit.ts";
import { exportContainer } from "../../src/archive/export.ts";
import { importImage } from "../../src/archive/import.ts";
import type { Digest } from "../../src/digest/digest.ts";
import { containerConfigType } from "../../src/image/container-config.ts";
import { collect, sourceOf } from "../../src/io/byte-source.ts";
import { parseJson } from "../../src/json/json.ts";
import { parseNormalized } from "../../src/reference/reference.ts";
import { openStores } from "../../src/testing/archive-bench.ts";
import { busyboxTar, type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker", "busybox");

const DOCKERFILE = `FROM base:1
RUN echo wurzel:x:0: > /etc/group
ENV A=b PATH=/bin
EXPOSE 80
VOLUME /data
LABEL x=y
USER nobody
WORKDIR /work
ENTRYPOINT ["/bin/sh", "-c"]
HEALTHCHECK --interval=5s CMD true
STOPSIGNAL 9
`;

const IMPORTS: Readonly<Record<string, { readonly message?: string; readonly changes?: string[] }>> = {
  "with nothing": {},
  "with a message": { message: 'said "so" <&>' },
  "with changes": { changes: ["CMD echo hi", "ENV A=b C=$A", "EXPOSE 80/udp", "VOLUME /v", "LABEL é=<ü>"] },
};

const COMMITS: Readonly<Record<string, { readonly container: string; readonly options: CommitOptions }>> = {
  plain: { container: "changed", options: {} },
  "with author and message": { container: "changed", options: { author: "Me <me@x>", message: "msg & here" } },
  "with changes": {
    container: "changed",
    options: { changes: ['CMD ["/bin/ls"]', "ENV B=c", "EXPOSE 81", "VOLUME /more", "LABEL l=1", "HEALTHCHECK NONE"] },
  },
  "with another entry point": { container: "changed", options: { changes: ['ENTRYPOINT ["/x"]', "WORKDIR below"] } },
  "of a container that changed nothing": { container: "idle", options: { message: "same" } },
};

describe.skipIf(lack)(`images out of file trees, as dockerd makes them${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-making-"));
  const root = join(scratch, "root");
  const tar = busyboxTar();
  /** What dockerd made, by the name that it got. */
  const theirs: Record<string, Digest> = {};
  const containers: Record<string, string> = {};
  let exported: Buffer;
  let stores: Stores;

  beforeAll(async () => {
    await using daemon = await start({ root });
    for (const [name, { message, changes = [] }] of Object.entries(IMPORTS)) {
      const args = [
        "import",
        ...(message === undefined ? [] : ["-m", message]),
        ...changes.flatMap((c) => ["-c", c]),
        "-",
      ];
      theirs[`import ${name}`] = await idFrom(daemon, args, tar);
    }
    await daemon.docker(["import", "-", "base:1"], { input: tar });
    process.env.DOCKER_BUILDKIT = "0";
    await daemon.docker(["build", "-q", "--network", "none", "-t", "app:1", "-"], { input: DOCKERFILE });
    await daemon.docker(["create", "--name", "idle", "base:1", "/bin/sh", "-c", "exit"]);
    const work = "echo new > /etc/new; rm -r /usr; mkdir /usr; ln /bin/busybox /hard; mkfifo /pipe; chmod 700 /etc";
    await daemon.docker(["run", "--name", "changed", "--network", "none", "-u", "0", "-e", "E=f", "app:1", work]);
    for (const name of ["idle", "changed"])
      containers[name] = (await daemon.docker(["inspect", "-f", "{{.Id}}", name])).toString().trim();
    for (const [name, { container, options }] of Object.entries(COMMITS)) {
      const { author, message, changes = [] } = options;
      const flags = [...(author ? ["-a", author] : []), ...(message ? ["-m", message] : [])];
      theirs[`commit ${name}`] = await idFrom(daemon, [
        "commit",
        ...flags,
        ...changes.flatMap((c) => ["-c", c]),
        container,
      ]);
    }
    exported = await daemon.docker(["export", "changed"]);
  });
  beforeAll(async () => {
    stores = await openStores(root);
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  async function idFrom(daemon: Dockerd, args: string[], input?: Buffer): Promise<Digest> {
    return (await daemon.docker(args, input === undefined ? {} : { input })).toString().trim() as Digest;
  }

  function containerOf(name: string): CommitSource {
    const record = parseJson(readFileSync(join(root, "containers", containers[name]!, "config.v2.json")));
    return {
      id: containers[name]!,
      image: record.member("Image")!.text as Digest,
      config: containerConfigType.read(record.member("Config")!, containerConfigType.zero, ""),
      layer: stores.layers.getRW(containers[name]!),
    };
  }

  /** A config's own bytes, but for the moment and the program that made it. */
  function textOf(id: Digest): string {
    const { config, raw } = stores.images.get(id);
    const last = raw.toString().match(/"created":"([^"]*)","docker_version":"([^"]*)"/)!;
    expect(config.dockerVersion).toBe(last[2]);
    return raw.toString().replaceAll(last[1]!, "NOW").replace(last[2]!, "VERSION");
  }

  test.each(Object.entries(IMPORTS))("import %s", async (name, options) => {
    const id = await importImage(sourceOf(gzipSync(tar)), stores, options);
    expect(textOf(id)).toBe(textOf(theirs[`import ${name}`]!));
  });

  test("import under a name remembers when", async () => {
    const id = await importImage(sourceOf(tar), stores, { reference: "imported" });
    expect(stores.references.get(parseNormalized("imported:latest"))).toBe(id);
    expect(stores.images.lastUpdated(id)!.seconds).toBeGreaterThan(1_600_000_000);
  });

  test.each(Object.entries(COMMITS))("commit %s", async (name, { container, options }) => {
    const source = containerOf(container);
    const id = await commitContainer(source, stores, { ...options, reference: "mine:1" });
    expect(textOf(id)).toBe(textOf(theirs[`commit ${name}`]!));
    expect(stores.images.parent(id)).toBe(source.image);
    expect(stores.references.get(parseNormalized("mine:1"))).toBe(id);
  });

  test("export", async () => {
    const ours = await collect(exportContainer(containerOf("changed").layer), 1 << 28);
    expect(ours.equals(exported)).toBe(true);
  });
});
