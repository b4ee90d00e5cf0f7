import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import Docker from "dockerode";
import { expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { makePair, OTHER_TAR, type Pair } from "./fixture.ts";

type Who = "dockerd" | "varve";
/** What somebody does with a client, in this order, and what comes of it. */
type Step = readonly [name: string, work: (docker: Docker, pair: Pair, who: Who) => Promise<unknown>];

const lack = lacking("root", "dockerd", "docker");

test.skipIf(lack)(`dockerode sees the same of Varve's daemon and of dockerd${lack ?? ""}`, async () => {
  await using pair = await makePair();
  const told = async (who: Who): Promise<unknown[]> => {
    const docker = new Docker({ socketPath: pair[who].socket });
    const answers: unknown[] = [];
    for (const [name, work] of STEPS) answers.push([name, await work(docker, pair, who).catch(failure)]);
    return JSON.parse(JSON.stringify(answers).replaceAll(pair.roots[who], "<root>"));
  };
  expect(await told("varve")).toEqual(await told("dockerd"));
});

const STEPS: readonly Step[] = [
  ["ping", async (docker) => `${await docker.ping()}`],
  ["version", async (docker) => chosen(await docker.version(), ["ApiVersion", "MinAPIVersion", "Os", "Arch"])],
  [
    "info",
    async (docker) => chosen(await docker.info(), ["Containers", "Images", "Driver", "DriverStatus", "OSType", "NCPU"]),
  ],
  ["list", async (docker) => sorted(await docker.listImages())],
  ["all", async (docker) => sorted(await docker.listImages({ all: true }))],
  ["dangling", async (docker) => sorted(await docker.listImages({ filters: { dangling: ["true"] } }))],
  [
    "named",
    async (docker) => sorted(await docker.listImages({ filters: { reference: ["ba*", "localhost:5000/a/b"] } })),
  ],
  ["before", async (docker) => sorted(await docker.listImages({ filters: { before: ["kid:1"] } }))],
  ["labelled", async (docker) => sorted(await docker.listImages({ filters: '{"label":["stage=prod"]}' }))],
  ["bad filter", (docker) => docker.listImages({ filters: { unheard: ["of"] } })],
  ["inspect", async (docker) => inspected(docker, "base:1")],
  ["inspect by id", async (docker) => inspected(docker, (await docker.getImage("kid:1").inspect()).Id.slice(7, 19))],
  ["inspect nothing", (docker) => docker.getImage("nope").inspect()],
  ["history", (docker) => docker.getImage("kid:1").history()],
  ["history of nothing", (docker) => docker.getImage("nope").history()],
  ["tag", (docker) => docker.getImage("base:1").tag({ repo: "localhost:5000/node/tagged", tag: "2" })],
  ["tag nothing", (docker) => docker.getImage("nope").tag({ repo: "a" })],
  ["inspect the tagged", async (docker) => inspected(docker, "localhost:5000/node/tagged:2")],
  ["save", async (docker) => hashed(await docker.getImage("base:1").get())],
  ["save nothing", (docker) => docker.getImage("nope").get()],
  ["save two", async (docker) => (await bytesOf(await getImages(docker, ["base:1", "kid:1"]))).length],
  ["load", async (docker, { archivePath }) => messages(docker, await docker.loadImage(archivePath))],
  ["load aloud", async (docker, { fresh }) => loadedAloud(docker, fresh)],
  [
    "load what is no archive",
    async (docker) => textOf(await docker.loadImage(Readable.from([OTHER_TAR]))).then(isError),
  ],
  [
    "import",
    async (docker) =>
      messages(
        docker,
        await docker.importImage(Readable.from([OTHER_TAR]), { repo: "node", tag: "1", changes: "CMD a" }),
      ),
  ],
  ["inspect the imported", async (docker) => chosen(await docker.getImage("node:1").inspect(), ["RepoTags", "RootFS"])],
  ["remove the imported", async (docker) => (await docker.getImage("node:1").remove({ noprune: true })).length],
  ["remove", (docker) => docker.getImage("localhost:5000/node/tagged:2").remove()],
  ["remove again", (docker) => docker.getImage("localhost:5000/node/tagged:2").remove()],
  ["remove what is used", (docker) => docker.getImage("other:2").remove()],
  ["remove the loaded", (docker) => docker.getImage("fresh:1").remove({ force: true })],
  ["prune nothing", (docker) => docker.pruneImages({ filters: { label: ["none"] } })],
  ["prune", (docker) => docker.pruneImages({ filters: { dangling: ["true"] } })],
  ["df", async (docker) => usage(await docker.df())],
  ["events", async (docker) => textOf(await docker.getEvents({ since: 1, until: 2 }))],
  ["events to come", followed],
];

/** A method that its types do not know. */
function getImages(docker: Docker, names: readonly string[]): Promise<NodeJS.ReadableStream> {
  type Getter = { getImages(options: { names: readonly string[] }): Promise<NodeJS.ReadableStream> };
  return (docker as unknown as Getter).getImages({ names });
}

/** Ids of what was made just now carry its time. */
async function messages(docker: Docker, stream: NodeJS.ReadableStream): Promise<unknown> {
  const said = await new Promise<unknown[]>((resolve, reject) =>
    docker.modem.followProgress(stream, (error, output) => (error ? reject(error) : resolve(output))),
  );
  return JSON.parse(JSON.stringify(said).replace(/sha256:[0-9a-f]{64}/g, "<id>"));
}

/** How far a layer has come by when is a matter of speed; where it ends is not. */
async function loadedAloud(docker: Docker, archive: Buffer): Promise<unknown> {
  const stream = await docker.loadImage(Readable.from([archive]), { quiet: false } as object);
  const said = (await messages(docker, stream)) as {
    id?: string;
    progressDetail?: { current: number; total: number };
  }[];
  return said.filter(
    ({ progressDetail }) => progressDetail === undefined || progressDetail.current === progressDetail.total,
  );
}

/** What a follower hears of a tag that comes and goes. */
async function followed(docker: Docker): Promise<unknown> {
  const filters = JSON.stringify({ type: ["image"], event: ["tag", "untag"] });
  const stream = (await docker.getEvents({ filters })) as Readable;
  const heard: unknown[] = [];
  const two = new Promise<void>((resolve) => {
    let text = "";
    stream.on("data", (chunk: Buffer) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) {
        const { time: _, timeNano: __, ...event } = JSON.parse(line);
        heard.push(event);
      }
      if (heard.length === 2) resolve();
    });
  });
  await docker.getImage("base:1").tag({ repo: "heard", tag: "1" });
  await docker.getImage("heard:1").remove();
  await two;
  stream.destroy();
  return heard;
}

async function inspected(docker: Docker, name: string): Promise<object> {
  // The trees have other names, and a tag is as old as its root.
  const document: Record<string, unknown> = { ...(await docker.getImage(name).inspect()) };
  const {
    GraphDriver,
    Metadata: _,
    ...rest
  } = document as { GraphDriver: Docker.ImageInspectInfo["GraphDriver"] } & typeof document;
  return { ...rest, driver: GraphDriver.Name, keys: Object.keys(GraphDriver.Data ?? {}).sort() };
}

/** dockerd lists images that were made in one second in any order. */
function sorted(images: readonly Docker.ImageInfo[]): Docker.ImageInfo[] {
  return [...images]
    .sort((a, b) => (a.Id < b.Id ? -1 : 1))
    .map((image) => ({ ...image, RepoTags: [...(image.RepoTags ?? [])].sort() }));
}

function usage({ LayersSize, Images, Containers, Volumes, BuildCache }: Record<string, never[]>): object {
  const containers = (Containers as Docker.ContainerInfo[]).map(({ Id, Names, ...rest }) => [
    Id,
    Names,
    chosen(rest, ["ImageID", "Labels", "SizeRw", "SizeRootFs"]),
  ]);
  // A copy of a volume is younger, and Docker lists them in no certain order.
  const volumes = (Volumes as Docker.VolumeInspectInfo[])
    .map((volume) => ({ ...volume, CreatedAt: "" }))
    .sort((a, b) => (a.Name < b.Name ? -1 : 1));
  return { LayersSize, Images: sorted(Images as Docker.ImageInfo[]), containers, volumes, BuildCache };
}

function chosen<T extends object>(document: T, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.map((name) => [name, (document as Record<string, unknown>)[name]]));
}

async function bytesOf(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function hashed(stream: NodeJS.ReadableStream): Promise<string> {
  return createHash("sha256")
    .update(await bytesOf(stream))
    .digest("hex");
}

async function textOf(stream: NodeJS.ReadableStream): Promise<string> {
  return (await bytesOf(stream)).toString();
}

/** What is wrong with an archive is said in other words. */
function isError(text: string): boolean {
  return text.includes("errorDetail");
}

/** As the client tells it. */
function failure(error: Error & { statusCode?: number; reason?: string; json?: unknown }): object {
  return { statusCode: error.statusCode, reason: error.reason, json: error.json };
}
