import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import Docker from "dockerode";
import { expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { makePair } from "./fixture.ts";

/** What somebody does with containers through a client, in this order, and what comes of it. */
type Step = readonly [name: string, work: (docker: Docker) => Promise<unknown>];

const lack = lacking("root", "dockerd", "docker");

test.skipIf(lack)(`dockerode sees the same containers of Varve's daemon and of dockerd${lack ?? ""}`, async () => {
  await using pair = await makePair();
  const told = async (who: "dockerd" | "varve"): Promise<unknown[]> => {
    const docker = new Docker({ socketPath: pair[who].socket });
    const answers: unknown[] = [];
    for (const [name, work] of STEPS) answers.push([name, await work(docker).catch(failure)]);
    // What was written into the copy at dockerd's place stays as it was.
    return plain(
      JSON.stringify(answers).replaceAll(pair.roots[who], "<root>").replaceAll(pair.roots.dockerd, "<root>"),
    );
  };
  expect(await told("varve")).toEqual(await told("dockerd"));
});

const TAR = tarOf([{ name: "put/" }, { name: "put/in", content: "hello", mode: 0o640, uid: 5, gid: 6 }]);

const STEPS: readonly Step[] = [
  ["list", async (docker) => (await docker.listContainers({ all: true })).map(listed)],
  ["list with sizes", async (docker) => (await docker.listContainers({ all: true, size: true, limit: 3 })).map(listed)],
  [
    "list some",
    async (docker) => (await docker.listContainers({ all: true, filters: { label: ["a=b"] } })).map(listed),
  ],
  ["list what runs", (docker) => docker.listContainers()],
  ["inspect", (docker) => docker.getContainer("web").inspect()],
  ["inspect what has everything", (docker) => docker.getContainer("a.long_name-1").inspect()],
  ["inspect nothing", (docker) => docker.getContainer("nope").inspect()],
  [
    "create",
    async (docker) => {
      const { id } = await docker.createContainer({
        ...{
          name: "node",
          Image: "other:2",
          Cmd: ["a", "b"],
          Env: ["A=b"],
          Labels: { by: "node" },
          WorkingDir: "/etc",
        },
        HostConfig: {
          NetworkMode: "none",
          RestartPolicy: { Name: "on-failure", MaximumRetryCount: 2 },
        },
      });
      return id.length;
    },
  ],
  ["create again", (docker) => docker.createContainer({ name: "node", Image: "other:2", Cmd: ["a"] })],
  ["create of nothing", (docker) => docker.createContainer({ name: "none", Image: "nope", Cmd: ["a"] })],
  ["create without a command", (docker) => docker.createContainer({ name: "idle", Image: "other:2" })],
  ["inspect the new one", (docker) => docker.getContainer("node").inspect()],
  ["rename", (docker) => docker.getContainer("node").rename({ name: "renamed" })],
  ["rename to what is there", (docker) => docker.getContainer("renamed").rename({ name: "web" })],
  ["changes of nothing", (docker) => docker.getContainer("renamed").changes()],
  ["put", async (docker) => `${await text(await docker.getContainer("renamed").putArchive(TAR, { path: "/" }))}`],
  [
    "put over a directory",
    (docker) =>
      docker
        .getContainer("renamed")
        .putArchive(tarOf([{ name: "put", content: "x" }]), { path: "/", noOverwriteDirNonDir: "true" } as never)
        .then(text, () => "refused"),
  ],
  ["put nowhere", (docker) => docker.getContainer("renamed").putArchive(TAR, { path: "/nowhere" }).then(text)],
  // dockerd tells them in no certain order.
  ["changes", async (docker) => sorted((await docker.getContainer("renamed").changes()) as { Path: string }[])],
  ["info", (docker) => docker.getContainer("renamed").infoArchive({ path: "/put/in" }).then(statOf)],
  ["info of nothing", (docker) => docker.getContainer("renamed").infoArchive({ path: "/nope" }).then(statOf)],
  ["get", (docker) => docker.getContainer("renamed").getArchive({ path: "/put" }).then(base64)],
  ["get nothing", (docker) => docker.getContainer("renamed").getArchive({ path: "/nope" }).then(base64)],
  [
    "get what a link points to",
    (docker) => docker.getContainer("ran").getArchive({ path: "/odd/up/group" }).then(base64),
  ],
  ["export", async (docker) => (await buffer(await docker.getContainer("web").export())).length],
  [
    "commit",
    async (docker) => {
      const options = { repo: "node", tag: "made", comment: "c", author: "me", changes: "LABEL from=node" };
      const { Id } = await docker.getContainer("renamed").commit(options);
      return `${Id}`.length;
    },
  ],
  [
    "inspect the committed",
    async (docker) => {
      const { Config, Comment, Author, RootFS, RepoTags, Size } = await docker.getImage("node:made").inspect();
      return { Config, Comment, Author, layers: RootFS?.Layers?.length, RepoTags, Size };
    },
  ],
  [
    "remove the image in use",
    async (docker) =>
      docker
        .getImage("other:2")
        .remove()
        .then(String, () => "refused"),
  ],
  ["remove", (docker) => docker.getContainer("renamed").remove({ v: true })],
  ["remove again", (docker) => docker.getContainer("renamed").remove()],
  ["remove the committed", async (docker) => (await docker.getImage("node:made").remove()).length],
  ["events", eventsSince],
  ["prune none", (docker) => docker.pruneContainers({ filters: { label: ["unheard=of"] } })],
  ["prune", async (docker) => ((await docker.pruneContainers()).ContainersDeleted ?? []).length],
  ["list in the end", (docker) => docker.listContainers({ all: true })],
];

async function eventsSince(docker: Docker): Promise<unknown> {
  const filters = JSON.stringify({ container: ["node", "renamed"], event: ["create", "rename", "destroy"] });
  const stream = await docker.getEvents({ since: 1, until: Math.ceil(Date.now() / 1000), filters } as object);
  const lines = (await buffer(stream as Readable)).toString().trim().split("\n");
  return lines.map((line) => {
    const { Type, Action, Actor } = JSON.parse(line);
    return { Type, Action, Attributes: Actor.Attributes };
  });
}

function listed({ Mounts, ...rest }: Docker.ContainerInfo): object {
  return { ...rest, Mounts: [...Mounts].sort((a, b) => (a.Destination < b.Destination ? -1 : 1)) };
}

function sorted(changes: readonly { readonly Path: string }[]): object[] {
  return [...changes].sort((a, b) => (a.Path < b.Path ? -1 : 1));
}

function statOf(answer: unknown): unknown {
  const { headers } = answer as { headers: Record<string, string> };
  return JSON.parse(Buffer.from(headers["x-docker-container-path-stat"]!, "base64").toString());
}

async function text(stream: NodeJS.ReadableStream): Promise<string> {
  return (await buffer(stream as Readable)).toString();
}

async function base64(stream: NodeJS.ReadableStream): Promise<string> {
  return (await buffer(stream as Readable)).toString("base64");
}

/** As the client tells it. */
function failure(error: Error & { statusCode?: number; reason?: string; json?: unknown }): object {
  return { statusCode: error.statusCode, reason: error.reason, json: error.json };
}

/** Without what is of the moment: ids of what was made, and times. */
function plain(told: string): unknown[] {
  return JSON.parse(told.replace(/\b[0-9a-f]{64}\b/g, "<id>"), (key, value) => {
    if (key === "Hostname" && /^[0-9a-f]{12}$/.test(value)) return "<id>";
    if (["Created", "mtime", "FinishedAt", "StartedAt"].includes(key)) return "<time>";
    if (key === "Status" && typeof value === "string") return value.replace(/ [\w ]* ago$/, " <ago>");
    if (key === "Mounts" && Array.isArray(value)) return value.sort((a, b) => (a.Destination < b.Destination ? -1 : 1));
    return value;
  });
}
