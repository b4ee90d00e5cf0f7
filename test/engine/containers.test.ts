import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { lacking } from "../tools/dockerd.ts";
import { makeTwins, refusalBy, refusalOf, type Twins } from "./twins.ts";

const lack = lacking("root", "dockerd", "docker");

const FILES = tarOf([
  { name: "etc/" },
  { name: "etc/motd", content: "hello\n" },
  { name: "to/" },
  { name: "to/file", content: "x" },
  { name: "to/directory/" },
]);

describe.skipIf(lack)(`containers of Varve and of dockerd${lack ?? ""}`, () => {
  let twins: Twins;
  const names = ["one", "two", "three", "four"];

  beforeAll(async () => {
    twins = await makeTwins(async ({ docker }) => {
      await docker(["import", "-c", "LABEL base=yes", "-c", 'CMD ["x"]', "-", "base:1"], { input: FILES });
      await docker(["build", "-t", "kid:1", "-"], { input: "FROM base:1\nLABEL kid=1\nEXPOSE 80\n" });
      await docker(["create", "--name", "one", "--label", "a=b", "-v", "named:/v", "base:1"]);
      await docker(["create", "--name", "two", "--label", "a=c", "--network", "none", "kid:1"]);
      await docker(["create", "--name", "three", "-v", "/etc:/host:ro", "--health-cmd", "true", "kid:1"]);
      await docker(["create", "--name", "four", "--label", "d", "-p", "8080:80", "base:1"]);
      // It has been tried, and has ended.
      await docker(["start", "four"]).catch(() => undefined);
    });
  });
  afterAll(async () => await twins?.[Symbol.asyncDispose]());

  test.each([
    [{}],
    [{ name: ["o"] }],
    [{ name: ["^/one$"] }],
    [{ name: ["^one$", "thr"] }],
    [{ name: ["(["] }],
    [{ label: ["a"] }],
    [{ label: ["a=b"] }],
    [{ label: ["a", "base=yes"] }],
    [{ label: ["nope"] }],
    [{ ancestor: ["base:1"] }],
    [{ ancestor: ["kid:1"] }],
    [{ ancestor: ["nosuch"] }],
    [{ ancestor: ["nosuch", "kid"] }],
    [{ ancestor: ["nosuch", "kid:1"] }],
    [{ before: ["three"] }],
    [{ since: ["two"] }],
    [{ since: ["one"], before: ["/four"] }],
    [{ before: ["nobody"] }],
    [{ since: ["nobody"] }],
    [{ exited: ["0"] }],
    [{ exited: ["127"] }],
    [{ exited: ["x"] }],
    [{ status: ["created"] }],
    [{ status: ["exited", "created"] }],
    [{ status: ["running"] }],
    [{ status: ["asleep"] }],
    [{ health: ["none"] }],
    [{ health: ["starting"] }],
    [{ health: ["fine"] }],
    [{ "is-task": ["true"] }],
    [{ "is-task": ["false"] }],
    [{ "is-task": ["maybe"] }],
    [{ isolation: ["default"] }],
    [{ network: ["bridge"] }],
    [{ network: ["none"] }],
    [{ network: ["mine"] }],
    [{ volume: ["named"] }],
    [{ volume: ["/v"] }],
    [{ volume: ["/etc"] }],
    [{ volume: ["/host", "named"] }],
    [{ publish: ["8080"] }],
    [{ expose: ["80/tcp"] }],
    [{ expose: ["79-81"] }],
    [{ publish: ["1:2"] }],
    [{ expose: ["http"] }],
    [{ bogus: ["x"] }],
  ] as Record<string, string[]>[][])("are listed alike with %j", async (filters) => {
    for (const [query, options] of [
      ["all=1", { all: true }],
      ["", { all: false }],
      ["limit=2", { all: false, limit: 2 }],
      ["all=1&limit=1", { all: true, limit: 1 }],
    ] as const) {
      const answer = await twins.api(
        "GET",
        `/containers/json?${query}&filters=${encodeURIComponent(JSON.stringify(filters))}`,
      );
      let mine: string[] = [];
      const refusal = await refusalBy(async () => {
        mine = (await twins.store.containers({ ...options, filters })).map(({ name }) => `/${name}`);
      });
      const theirs = refusalOf(answer);
      // They are not found, which is no failure of the daemon's.
      const isMissing = theirs?.message.startsWith("no such container") === true;
      expect(refusal).toEqual(isMissing ? { ...theirs, status: 404 } : theirs);
      if (theirs !== undefined) continue;
      expect(mine, query).toEqual(JSON.parse(answer.body.toString()).map(({ Names }: { Names: string[] }) => Names[0]));
    }
  });

  test("are listed by their ids", async () => {
    const [first] = await twins.store.containers({ filters: { name: ["^one$"] } });
    for (const id of [first!.id, first!.id.slice(0, 12)])
      expect((await twins.store.containers({ filters: { id: [id] } })).map(({ name }) => name)).toEqual(["one"]);
    expect(await twins.store.containers({ filters: { id: ["zz"] } })).toEqual([]);
    expect((await twins.store.containers({ filters: { id: [first!.id.slice(0, 9)], name: ["two"] } })).length).toBe(0);
    expect((await twins.store.containers()).map(({ name }) => name)).toEqual([...names].reverse());
  });

  test.each([
    ["one", ""],
    ["one", "one"],
    ["one", "/one"],
    ["one", "two"],
    ["one", "a b"],
    ["one", "x"],
    ["nobody", "somebody"],
    ["one", "/renamed"],
    ["renamed", "one"],
  ])("%s is renamed to %j alike", async (from, to) => {
    const [theirs, id] = [await twins.api("POST", `/containers/${from}/rename?name=${encodeURIComponent(to)}`), 64];
    const refusal = await refusalBy(() => twins.store.rename(from, to));
    const plain = (text: string): string => text.replace(new RegExp(`[0-9a-f]{${id}}`, "g"), "ID");
    expect(refusal && plain(refusal.message)).toBe(refusalOf(theirs) && plain(refusalOf(theirs)!.message));
    expect(refusal?.status).toBe(refusalOf(theirs)?.status);
    if (refusal !== undefined) return;
    const [mine, docker] = [twins.roots.varve, twins.roots.docker].map((root) => recordNamed(root, to));
    expect(mine).toEqual(docker);
  });

  function recordNamed(root: string, name: string): unknown {
    const directory = join(root, "containers");
    const records = readdirSync(directory).map((id) => readFileSync(join(directory, id, "config.v2.json"), "utf8"));
    const text = records.find((record) => JSON.parse(record).Name === `/${name.replace("/", "")}`)!;
    return JSON.parse(text.replaceAll(root, "ROOT").replaceAll(twins.roots.docker, "ROOT"));
  }

  test.each([
    ["a config of its own", { Env: ["OWN=1"], Cmd: ["own"], Labels: { own: "1" }, Volumes: { "/w": {} } }],
    ["an entry point alone", { Entrypoint: ["/own"], User: "5", WorkingDir: "/own", ExposedPorts: { "1/tcp": {} } }],
    ["a folded key", { CMD: "one", unknown: 1 }],
    ["nothing of its own", {}],
  ])("are committed alike with %s", async (_, config) => {
    const changes = encodeURIComponent("LABEL changed=yes");
    const query = `container=two&comment=said&author=me&changes=${changes}`;
    const { body } = await twins.api("POST", `/commit?${query}`, config);
    const theirs = (await twins.api("GET", `/images/${JSON.parse(body.toString()).Id}/json`)).body.toString();
    const image = await twins.store.commit("two", {
      ...{ config, message: "said", author: "me", changes: ["LABEL changed=yes"] },
    });
    const [mine, docker] = [await twins.store.inspect(image), JSON.parse(theirs)];
    expect(mine.Config).toEqual(docker.Config);
    expect(mine.ContainerConfig).toEqual({ ...docker.ContainerConfig, Hostname: mine.ContainerConfig.Hostname });
  });

  test("lose their anonymous volumes with them, and no others", async () => {
    const create = async (name: string, ...args: string[]): Promise<void> => {
      const HostConfig = { Binds: args.filter((arg) => !arg.includes("from")) };
      const VolumesFrom = args.filter((arg) => arg.includes("from")).map((arg) => arg.slice("from ".length));
      const body = { Image: "base:1", HostConfig: { ...HostConfig, VolumesFrom } };
      await twins.api("POST", `/containers/create?name=${name}`, body);
      await twins.store.create("base:1", { name, config: {}, hostConfig: body.HostConfig });
    };
    const remove = async (name: string): Promise<void> => {
      await twins.api("DELETE", `/containers/${name}?v=1`);
      await twins.store.removeContainer(name, { volumes: true });
    };
    const volumes = (): number[] =>
      [twins.roots.docker, twins.roots.varve].map((root) => readdirSync(join(root, "volumes")).length);
    await create("holder", "/anonymous", "kept:/named", "/etc:/host");
    await create("user", "from holder");
    const [before] = volumes();
    await remove("holder");
    // The other one has it too, which dockerd does not see before it is started again.
    expect(volumes()).toEqual([before! - 1, before]);
    await remove("user");
    expect(volumes()).toEqual([before! - 1, before! - 1]);
    expect(existsSync(join(twins.roots.varve, "volumes/kept/_data"))).toBe(true);
  });

  test.each([
    ["copyUIDGID=1", { copyUIDGID: true }, "daemon", "/to", "f"],
    ["copyUIDGID=1", { copyUIDGID: true }, "1", "/to", "f"],
    ["copyUIDGID=1", { copyUIDGID: true }, "", "/to", "f"],
    ["copyUIDGID=1", { copyUIDGID: true }, "1:1", "/to", "f"],
    ["copyUIDGID=1", { copyUIDGID: true }, "nobody-at-all", "/to", "f"],
    ["copyUIDGID=0", {}, "daemon", "/to", "f"],
    ["noOverwriteDirNonDir=1", { noOverwriteDirNonDir: true }, "", "/to", "directory"],
    ["noOverwriteDirNonDir=1", { noOverwriteDirNonDir: true }, "", "/to", "file/"],
    ["", {}, "", "/to", "directory"],
    ["", {}, "", "/to/file", "f"],
    ["", {}, "", "/nowhere", "f"],
  ])("take in files alike with %s %j for the user %j in %s: %s", async (query, options, user, path, name) => {
    const body = { Image: "base:1", User: user };
    await twins.api("POST", "/containers/create?name=taking", body);
    await twins.store.create("base:1", { name: "taking", config: { User: user } });
    const tar = tarOf([{ name, content: name.endsWith("/") ? "" : "in", uid: 12, gid: 34, mode: 0o640 }]);
    const answer = await twins.api("PUT", `/containers/taking/archive?path=${path}&${query}`, tar);
    const refusal = await refusalBy(() =>
      twins.store.copyIn(
        "taking",
        path,
        (async function* () {
          yield tar;
        })(),
        options,
      ),
    );
    const uppers = [twins.roots.varve, twins.roots.docker].map(upperOf);
    await twins.api("DELETE", "/containers/taking");
    await twins.store.removeContainer("taking");
    // Here no program ends with a status.
    const told = refusalOf(answer)?.message.replace("Error processing tar file(exit status 1): ", "");
    expect(refusal?.message).toBe(told);
    expect(refusal?.status).toBe(told?.startsWith("cannot overwrite") ? 409 : refusalOf(answer)?.status);
    expect(uppers[0]).toEqual(uppers[1]);
  });

  test.each([
    ["/named", {}],
    ["/named/below/../.", {}],
    ["/link", {}],
    ["/", {}],
    ["/host", {}],
    ["/to", { ReadonlyRootfs: true }],
    ["/named", { ReadonlyRootfs: true }],
  ])("take in files into volumes and binds alike, at %s with %j", async (path, more) => {
    const hostConfig = { Binds: ["copied:/named", "/etc:/host:ro"], ...more };
    await twins.api("POST", "/containers/create?name=mounted", { Image: "base:1", HostConfig: hostConfig });
    await twins.store.create("base:1", { name: "mounted", config: {}, hostConfig });
    const link = tarOf([{ name: "link", type: "2", linkname: "named" }]);
    await twins.api("PUT", "/containers/mounted/archive?path=/", link);
    await twins.store.copyIn("mounted", "/", one(link)).catch(() => undefined);
    const tar = tarOf([{ name: "named/" }, { name: "named/deep", content: "in" }, { name: "flat", content: "in" }]);
    const answer = await twins.api("PUT", `/containers/mounted/archive?path=${path}`, tar);
    const refusal = await refusalBy(() => twins.store.copyIn("mounted", path, one(tar)));
    const volumes = [twins.roots.varve, twins.roots.docker].map((root) =>
      execFileSync("find", [join(root, "volumes/copied"), "-printf", "%P\n"], { encoding: "utf8" })
        .split("\n")
        .sort(),
    );
    const uppers = [twins.roots.varve, twins.roots.docker].map(upperOf);
    for (const root of [twins.roots.varve, twins.roots.docker])
      execFileSync("find", [join(root, "volumes/copied/_data"), "-mindepth", "1", "-delete"]);
    await twins.api("DELETE", "/containers/mounted");
    await twins.store.removeContainer("mounted");
    expect(refusal).toEqual(refusalOf(answer));
    expect(volumes[0]).toEqual(volumes[1]);
    expect(uppers[0]).toEqual(uppers[1]);
    expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(join(twins.roots.varve, "varve"));
  });

  /** What the newest container has in its own layer. */
  function upperOf(root: string): string[] {
    const directory = join(root, "overlay2");
    const layers = readdirSync(directory).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const newest = layers.sort((a, b) => born(join(directory, a)) - born(join(directory, b))).at(-1)!;
    const upper = join(directory, newest, "diff");
    return execFileSync("find", [upper, "-printf", "%P %y %m %U:%G\n"], { encoding: "utf8" }).split("\n").sort();
  }

  function born(path: string): number {
    return Number(statSync(path, { bigint: true }).birthtimeNs / 1000n);
  }

  test("tell the same events", async () => {
    const since = Date.now();
    const labels = { a: "b" };
    await twins.api("POST", "/containers/create?name=told", { Image: "base:1", Labels: labels, Volumes: { "/w": {} } });
    await twins.api("POST", "/containers/told/rename?name=retold");
    await twins.api("POST", "/commit?container=retold&repo=told&tag=1&comment=said");
    await twins.api("PUT", "/containers/retold/archive?path=/", tarOf([{ name: "in", content: "x" }]));
    await twins.api("DELETE", "/containers/retold?v=1");
    const { store } = twins;
    await store.create("base:1", { name: "told", config: { Labels: labels, Volumes: { "/w": {} } } });
    await store.rename("told", "retold");
    await store.commit("retold", { reference: "told:1", message: "said" });
    await store.copyIn("retold", "/", one(tarOf([{ name: "in", content: "x" }])));
    await store.removeContainer("retold", { volumes: true });
    const until = Date.now() + 1;
    const answer = await twins.api("GET", `/events?since=${since / 1000}&until=${until / 1000}`);
    const theirs = answer.body
      .toString()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line))
      // Here they are not mounted.
      .filter(({ Type, Action }) => Type !== "volume" || !Action.endsWith("mount"))
      .map(({ Type, Action, Actor }) => ({ type: Type, action: Action, attributes: Actor.Attributes }));
    const ours: object[] = [];
    const range = { since: BigInt(since) * 1_000_000n, until: BigInt(until) * 1_000_000n };
    for await (const { type, action, attributes } of store.events(range)) ours.push({ type, action, attributes });
    const plain = (events: object[]): string[] =>
      JSON.stringify(events)
        .replaceAll(/[0-9a-f]{64}/g, "#")
        .split(/(?<=}),(?=\{"type)/);
    expect(plain(ours)).toEqual(plain(theirs));
  });

  async function* one(bytes: Buffer): AsyncIterable<Uint8Array> {
    yield bytes;
  }

  test("are pruned alike", async () => {
    const label = encodeURIComponent(JSON.stringify({ "label!": ["a=b"], label: ["base"] }));
    const theirs = JSON.parse((await twins.api("POST", `/containers/prune?filters=${label}`)).body.toString());
    const filters = { "label!": ["a=b"], label: ["base"] };
    const preview = await twins.store.pruneContainers({ filters, dryRun: true });
    const ours = await twins.store.pruneContainers({ filters });
    expect(preview).toEqual(ours);
    expect([...ours.removed].sort()).toEqual([...theirs.ContainersDeleted].sort());
    expect(ours.reclaimed).toBe(theirs.SpaceReclaimed);
    expect((await twins.store.containers()).map(({ name }) => name)).toEqual(["one"]);
    expect(await twins.store.pruneContainers({ filters: { until: "1h" } })).toEqual({ removed: [], reclaimed: 0 });
    expect((await twins.store.pruneContainers()).removed.length).toBe(1);
  });
});
