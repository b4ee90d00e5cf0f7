import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RemovedItem } from "../../src/engine/removal-model.ts";
import { openStore, type Store } from "../../src/engine/store.ts";
import { isVarveError } from "../../src/errors.ts";
import { removeTree } from "../../src/sys/remove-tree.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd", "docker");

/** A family is a base, an image built on it in two steps, and what is put on each: tags, digest references, containers. */
interface Family {
  /** Which of the family's tags lead to which image. */
  readonly tags: readonly (readonly [name: string, image: number])[];
  readonly digests: readonly (readonly [name: string, image: number])[];
  readonly containers: readonly number[];
  readonly removals: readonly Removal[];
}

interface Removal {
  readonly by: "tag" | "id" | "short id" | "digest" | "canonical name";
  readonly which: number;
  readonly force: boolean;
  readonly noPrune: boolean;
}

const IMAGES = 3;
const image = fc.nat(IMAGES - 1);
const family: fc.Arbitrary<Family> = fc.record({
  tags: fc.subarray(["x:1", "x:2", "x", "y:1", "z/y:1"]).chain((names) => withImages(names)),
  digests: fc.subarray(["x", "y"]).chain((names) => withImages(names)),
  containers: fc.oneof(fc.constant([]), fc.tuple(image)),
  removals: fc.array(
    fc.record({
      by: fc.constantFrom("tag", "tag", "id", "short id", "digest", "canonical name"),
      which: fc.nat(4),
      force: fc.boolean(),
      noPrune: fc.constantFrom(false, false, true),
    }),
    { minLength: 2, maxLength: 6 },
  ),
});

function withImages(names: readonly string[]): fc.Arbitrary<[string, number][]> {
  return fc.tuple(...names.map(() => image)).map((images) => names.map((name, i) => [name, images[i]!]));
}

/** Each refusal at least once, and whatever else may come. */
const FAMILIES: readonly Family[] = [
  {
    tags: [
      ["x:1", 2],
      ["y:1", 2],
    ],
    digests: [["x", 2]],
    containers: [],
    removals: [
      { by: "id", which: 2, force: false, noPrune: false },
      { by: "id", which: 2, force: true, noPrune: false },
    ],
  },
  {
    tags: [["x:1", 2]],
    digests: [],
    containers: [2],
    removals: [
      { by: "tag", which: 0, force: false, noPrune: false },
      { by: "short id", which: 2, force: false, noPrune: false },
      { by: "tag", which: 0, force: true, noPrune: false },
    ],
  },
  ...fc.sample(family, { seed: 6, numRuns: 11 }),
];

const REFUSALS = [
  "No such image",
  "(must be forced) - image is referenced in multiple repositories",
  "(must be forced) - image is being used by stopped container",
  "(cannot be forced) - image has dependent child images",
  "(must force) - container",
];

/** What a command printed on standard output, in no order, or what it said went wrong. */
type Outcome = readonly string[] | string;

describe.skipIf(lack)(`what rmi and prune take away${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-removal-"));
  const theirs = join(scratch, "theirs");
  const ours = join(scratch, "ours");
  let ids: string[][] = [];

  beforeAll(async () => {
    {
      await using dockerd = await start({ root: theirs });
      ids = await makeFamilies(dockerd, scratch);
    }
    addDigests(theirs, ids);
    execFileSync("cp", ["-a", theirs, ours]);
  });
  afterAll(() => removeTree(scratch));

  test("is found by df first: sizes, shared and written, as docker's", async () => {
    await using dockerd = await start({ root: theirs });
    const { LayersSize, Images, Containers } = await ask(dockerd, "/system/df");
    await using store = await openStore({ root: ours });
    const { images, containers } = await store.df();
    expect(images.size).toBe(LayersSize);
    const sorted = <T extends { id: string }>(entries: readonly T[]): T[] =>
      [...entries].sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(sorted(images.entries)).toEqual(
      sorted(
        Images.map(({ Id, Size, SharedSize, Containers }: Record<string, unknown>) => ({
          ...{ id: Id, size: Size, sharedSize: SharedSize, containers: Containers },
        })),
      ),
    );
    expect(sorted(containers.entries)).toEqual(
      sorted(
        Containers.map(({ Id, SizeRw = 0, SizeRootFs = 0 }: Record<string, unknown>) => ({
          ...{ id: Id, size: SizeRw, rootSize: SizeRootFs, running: false },
        })),
      ),
    );
    expect(containers.total).toBeGreaterThan(0);
  });

  test("is the same as docker's, to the last record", async () => {
    const commands = FAMILIES.flatMap((each, i) => each.removals.map((removal) => nameOf(i, each, removal, ids)));
    const answers: Outcome[] = [];
    const leftByDocker: string[] = [];
    {
      await using dockerd = await start({ root: theirs });
      for (const { name, force, noPrune } of commands)
        answers.push(
          await byDocker(dockerd, ["rmi", ...(force ? ["-f"] : []), ...(noPrune ? ["--no-prune"] : []), name]),
        );
      leftByDocker.push(...remains(theirs));
      answers.push(await byDocker(dockerd, ["image", "prune", "-f"]));
      answers.push(await byDocker(dockerd, ["image", "prune", "-a", "-f"]));
    }
    await using store = await openStore({ root: ours });
    for (const [i, command] of commands.entries())
      expect(await byVarve(store, command), JSON.stringify(command)).toEqual(answers[i]);
    expect(remains(ours)).toEqual(leftByDocker);
    expect(await pruned(store, false)).toEqual(answers.at(-2));
    expect(await pruned(store, true)).toEqual(answers.at(-1));
    expect(remains(ours)).toEqual(remains(theirs));
    const refused = answers.filter((answer) => typeof answer === "string");
    console.log(`${answers.length} commands agree, ${refused.length} of them refused`);
    expect(REFUSALS.filter((reason) => !refused.some((answer) => answer.includes(reason)))).toEqual([]);
  });

  test("leaves a root that dockerd starts on", async () => {
    await using dockerd = await start({ root: ours });
    const listed = (await dockerd.docker(["images", "-aq", "--no-trunc"]))
      .toString()
      .trim()
      .split("\n")
      .filter(Boolean);
    expect(new Set(listed).size).toBe(readdirSync(join(ours, "image/overlay2/imagedb/content/sha256")).length);
  });
});

async function makeFamilies(dockerd: Dockerd, scratch: string): Promise<string[][]> {
  const all: string[][] = [];
  for (const [i, { tags, containers }] of FAMILIES.entries()) {
    const context = join(scratch, `context-${i}`);
    mkdirSync(context);
    writeFileSync(join(context, "file"), `file of ${i}`);
    const tar = tarOf([{ name: "base", content: `base of ${i}` }]);
    const base = (await dockerd.docker(["import", "-"], { input: tar })).toString().trim();
    writeFileSync(join(context, "Dockerfile"), `FROM ${base}\nCOPY file /file\nLABEL family=${i}\nCMD ["/x"]\n`);
    const top = (await dockerd.docker(["build", "-q", context])).toString().trim();
    const parent = (await dockerd.docker(["inspect", "-f", "{{.Parent}}", top])).toString().trim();
    const images = [base, parent, top];
    for (const [name, image] of tags) await dockerd.docker(["tag", images[image]!, fullName(i, name)]);
    for (const image of containers) await dockerd.docker(["create", images[image]!, "/x"]);
    all.push(images);
  }
  return all;
}

/** Offline, nothing of Docker's makes references by digest. */
function addDigests(root: string, ids: readonly (readonly string[])[]): void {
  const path = join(root, "image/overlay2/repositories.json");
  const { Repositories } = JSON.parse(readFileSync(path, "utf8"));
  for (const [i, { digests }] of FAMILIES.entries())
    for (const [name, image] of digests) {
      const repository = fullName(i, name);
      Repositories[repository] = { ...Repositories[repository], [digestName(i, name)]: ids[i]![image] };
    }
  writeFileSync(path, JSON.stringify({ Repositories }));
}

function fullName(i: number, name: string): string {
  return name.includes("/") ? name.replace("z/", `z${i}/`) : `${name[0]}${i}${name.slice(1)}`;
}

function digestName(i: number, name: string): string {
  return `${fullName(i, name)}@sha256:${String(i).padStart(64, "a")}`;
}

/** Something that may or may not be there (any more). */
function nameOf(
  i: number,
  { tags, digests }: Family,
  { by, which, ...options }: Removal,
  ids: readonly (readonly string[])[],
): { name: string; force: boolean; noPrune: boolean } {
  const id = ids[i]![which % IMAGES]!;
  const [tag] = tags[which % Math.max(tags.length, 1)] ?? ["none"];
  const [digest] = digests[which % Math.max(digests.length, 1)] ?? ["none"];
  const names = {
    id,
    "short id": id.slice(7, 19),
    tag: fullName(i, tag),
    digest: digestName(i, digest),
    "canonical name": tag.includes("/") ? `docker.io/${fullName(i, tag)}` : `docker.io/library/${fullName(i, tag)}`,
  };
  return { name: names[by], ...options };
}

/** The engine's own answer, with bytes that are not rounded for a reader. */
// biome-ignore lint/suspicious/noExplicitAny: the test that asks says what it expects
function ask({ socket }: Dockerd, path: string): Promise<any> {
  return new Promise((resolve, reject) => {
    get({ socketPath: socket, path }, (response) => {
      text(response).then((body) => resolve(JSON.parse(body)), reject);
    }).once("error", reject);
  });
}

async function byDocker(dockerd: Dockerd, args: readonly string[]): Promise<Outcome> {
  try {
    return lines((await dockerd.docker(args)).toString());
  } catch (error) {
    return /Error(?: response from daemon)?: (.*)/.exec((error as Error).message)![1]!;
  }
}

async function byVarve(
  store: Store,
  { name, ...options }: { name: string; force: boolean; noPrune: boolean },
): Promise<Outcome> {
  try {
    return lines((await store.remove(name, options)).map(show).join("\n"));
  } catch (error) {
    if (!isVarveError(error)) throw error;
    // Docker's client has its own words then, and takes no offence with `-f`.
    if (error.code === "not-found") return options.force ? [] : `No such image: ${name}`;
    return error.message;
  }
}

async function pruned(store: Store, all: boolean): Promise<Outcome> {
  const { removed, reclaimed } = await store.prune({ all });
  const heading = removed.length > 0 ? ["Deleted Images:", ...removed.map(pruneLine)] : [];
  return lines([...heading, `Total reclaimed space: ${reclaimed}B`].join("\n"));
}

function show(item: RemovedItem): string {
  return "untagged" in item ? `Untagged: ${item.untagged}` : `Deleted: ${item.deleted}`;
}

function pruneLine(item: RemovedItem): string {
  return "untagged" in item ? `untagged: ${item.untagged}` : `deleted: ${item.deleted}`;
}

function lines(text: string): string[] {
  return text.split("\n").filter(Boolean).sort();
}

/** Every record and every tree, by their names; of the references also what they say. */
function remains(root: string): string[] {
  const image = join(root, "image/overlay2");
  const names = (directory: string): string[] =>
    readdirSync(join(image, directory)).map((name) => `${directory} ${name}`);
  return [
    ...names("imagedb/content/sha256"),
    ...readdirSync(join(image, "imagedb/metadata/sha256")).flatMap((id) => names(`imagedb/metadata/sha256/${id}`)),
    ...names("layerdb/sha256"),
    ...names("layerdb/mounts"),
    ...readdirSync(join(root, "overlay2")),
    ...readdirSync(join(root, "overlay2/l")),
    readFileSync(join(image, "repositories.json"), "utf8"),
  ].sort();
}
