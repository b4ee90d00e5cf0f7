// Kinds of work, and how one run of each is measured: the same for every subject, its store prepared outside the clock.
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { measure, settle } from "./measure.mjs";
import { digestOf, run, using } from "./stores.mjs";
import { isVarve, sameBytes, startDockerd } from "./subjects.mjs";

/**
 * @typedef {import("./subjects.mjs").Session} Session
 * @typedef {import("./subjects.mjs").Subject} Subject
 * @typedef {import("./inputs.mjs").Input} Input
 * @typedef {import("./measure.mjs").Measurement} Measurement
 *
 * @typedef {object} Context
 * @property {import("./inputs.mjs").Inputs} inputs
 * @property {import("./stores.mjs").Stores} stores
 * @property {Subject[]} subjects
 *
 * @typedef {object} Contender
 * @property {string} key
 * @property {string} name
 * @property {(proof: Proof | undefined) => Promise<Measurement>} work one run; with a proof also whether it did its work
 */

/** What runs of different subjects must agree upon. */
export class Proof {
  #said = "";

  /** @param {string} said by those whose archives are the same bytes */
  agree(said) {
    if (this.#said !== "" && this.#said !== said) throw new Error(`gave ${said}, others ${this.#said}`);
    this.#said = said;
  }

  /** @param {Session} session @param {Input} input */
  holds(session, { ids }) {
    const said = run(session.ids());
    const lost = ids.filter((id) => !said.includes(id));
    if (lost.length > 0) throw new Error(`lost ${lost.length} of ${ids.length} images`);
  }
}

/** @param {Context} context @param {Input} input @param {string} [durability] @returns {Contender[]} */
export function loads({ subjects, stores }, input, durability) {
  return subjects.map((subject) => ({
    key: durability === undefined ? subject.key : `${subject.key}-${durability}`,
    name: durability === undefined ? subject.name : `${subject.name}, durability ${durability}`,
    work: async (proof) => {
      const home = stores.fresh(subject);
      const measured = await using(subject, home, async (session) => {
        settle(input.file);
        const measured = await measure(session.load(input, durability), session);
        proof?.holds(session, input);
        if (sameBytes(subject)) proof?.agree(digestOf(session.save?.(input.reference) ?? []));
        return measured;
      });
      stores.keep(subject, input, home);
      return measured;
    },
  }));
}

/** Work on a store that holds the input and is as before afterwards. @param {Context} context @param {Input} input @param {(session: Session) => string[] | undefined} command @returns {Contender[]} */
export function reads({ subjects, stores }, input, command) {
  return subjects.map((subject) => ({
    key: subject.key,
    name: subject.name,
    work: async (proof) => {
      const home = await stores.loaded(subject, input);
      return using(subject, home, async (session) => {
        settle(home, input.file);
        const measured = await measure(command(session) ?? [], session);
        proof?.holds(session, input);
        return measured;
      });
    },
  }));
}

/** @param {Context} context @param {Input} input @param {"file" | "pipe"} to @returns {Contender[]} */
export function saves({ subjects, stores }, input, to) {
  return subjects.map((subject) => ({
    key: subject.key,
    name: subject.name,
    work: async (proof) => {
      const home = await stores.loaded(subject, input);
      const output = stores.fresh(subject);
      const file = to === "file" ? join(output, "saved.tar") : undefined;
      try {
        return await using(subject, home, async (session) => {
          settle(home);
          const command = session.save?.(input.reference, file) ?? [];
          const measured = await measure(command, { ...session, piped: file === undefined });
          const bytes = file === undefined ? Number(measured.output) : statSync(file).size;
          if (bytes < input.bytes * 0.9) throw new Error(`saved ${bytes} bytes`);
          if (sameBytes(subject)) proof?.agree(digestOf(file === undefined ? command : ["cat", file]));
          return measured;
        });
      } finally {
        stores.discard(output);
      }
    },
  }));
}

/** @param {Context} context @param {Input} input @returns {Contender[]} */
export function removals({ subjects, stores }, input) {
  return subjects.map((subject) => ({
    key: subject.key,
    name: subject.name,
    work: async () => {
      const home = await stores.take(subject, input);
      try {
        return await using(subject, home, async (session) => {
          settle(home);
          const measured = await measure(session.remove?.(input.reference) ?? [], session);
          if (input.ids.some((id) => run(session.ids()).includes(id))) throw new Error("the image is still there");
          return measured;
        });
      } finally {
        stores.discard(home);
      }
    },
  }));
}

/** What Node alone takes to start and end, the least for any command of Varve. @param {Context} context @returns {Contender[]} */
export function bareNodes({ subjects }) {
  return subjects.filter(isVarve).map(({ key, name, node = "" }) => ({
    key: `${key}-node`,
    name: `${name.replace("varve, ", "")}, nothing to do`,
    work: () => measure([node, "-e", "0"]),
  }));
}

/** The same through the library, its handle open already. @param {Context} context @param {Input} input @param {string} operation @returns {Contender[]} */
export function handles({ subjects, stores }, input, operation) {
  return subjects.filter(isVarve).map((subject) => ({
    key: `${subject.key}-handle`,
    name: `${subject.name}, open handle`,
    work: async () => {
      const home = operation === "load" ? stores.fresh(subject) : await stores.loaded(subject, input);
      const script = join(import.meta.dirname, "handle.mjs");
      settle(home, input.file);
      const arguments_ = [subject.dist ?? "", operation, join(home, "data"), input.file, input.reference];
      const measured = await measure([subject.node ?? "", script, ...arguments_]);
      if (operation === "load") stores.discard(home);
      return { ...measured, seconds: Number(measured.output) };
    },
  }));
}

/**
 * The least that unpacking can cost: GNU tar extracts the layers, each into its own directory, while openssl hashes the
 * archive beside it.
 * @param {Context} context @returns {Contender}
 */
export function floor({ inputs, stores }) {
  const script = `openssl dgst -sha256 "$1" & hash=$!; home=$2; shift 2; for layer; do
    mkdir "$home/\${layer##*/}" && tar --xattrs --xattrs-include='*' --numeric-owner -xpf "$layer" -C "$home/\${layer##*/}" || exit
    done; wait $hash`;
  return {
    key: "floor",
    name: "the floor: tar beside openssl",
    work: async () => {
      const home = stores.fresh({ key: "floor" });
      const layers = Object.values(inputs.layers());
      const archive = inputs.real().file;
      settle(archive, ...layers);
      const measured = await measure(["bash", "-c", script, "bash", archive, home, ...layers]);
      stores.discard(home);
      return measured;
    },
  };
}

/**
 * Opening a store of many images and listing them, against dockerd's start until it has listed them.
 * @param {Context} context @param {number} count @returns {Promise<Contender[]>}
 */
export async function lists({ subjects, inputs }, count) {
  const varves = subjects.filter(isVarve);
  if (varves[0] === undefined) return [];
  const home = await inputs.store(count, varves[0]);
  const check = (/** @type {string} */ answer) => {
    const images = new Set(
      answer
        .trim()
        .split("\n")
        .filter((line) => !line.startsWith("REPOSITORY")),
    ).size;
    if (images !== count) throw new Error(`listed ${images} of ${count} images`);
  };
  const list = async (/** @type {Subject} */ subject) => {
    settle(home);
    const session = await subject.open(home);
    try {
      const measured = await measure(session.images?.() ?? [], session);
      check(measured.output);
      return measured;
    } finally {
      await session.close();
    }
  };
  return subjects.flatMap((subject) => {
    if (subject.key === "dockerd")
      return [
        { key: "dockerd", name: `${subject.name}, from its start`, work: () => startAndList(home, check) },
        { key: "dockerd-running", name: `${subject.name}, running`, work: () => list(subject) },
      ];
    const rebuild = () => {
      const side = join(home, "data/varve");
      for (const name of readdirSync(side)) if (name.startsWith("index-")) rmSync(join(side, name));
      return list(subject);
    };
    return [
      { key: `${subject.key}-rebuilt`, name: `${subject.name}, index missing`, work: rebuild },
      { key: subject.key, name: subject.name, work: () => list(subject) },
    ];
  });
}

/** @param {string} home @param {(answer: string) => void} check */
async function startAndList(home, check) {
  settle(home);
  const { start, answer, close } = await startDockerd(home);
  await close();
  check(answer);
  return start;
}

/** Opening a v1 graph: by a command that lists all of it, and by the library alone. @param {Context} context @param {number} images @returns {Promise<Contender[]>} */
export async function openings({ subjects, inputs, stores }, images) {
  const varves = subjects.filter(isVarve);
  if (varves[0] === undefined) return [];
  const root = copyTo(stores.fresh({ key: "graph" }), await inputs.graph(images, 0, varves[0]));
  return varves.flatMap(({ key, name, node = "", dist = "" }) => [
    {
      key,
      name,
      work: async () => {
        settle(root);
        const command = [node, join(dist, "cli/main.js"), "--root", root, "--v1", "images", "-a", "-q", "--no-trunc"];
        const measured = await measure(command);
        expectCount(measured.output.split("\n").length, images);
        return measured;
      },
    },
    {
      key: `${key}-library`,
      name: `${name}, openGraph`,
      work: async () => {
        settle(root);
        const measured = await measure([node, join(import.meta.dirname, "graph.mjs"), dist, root]);
        const [seconds = 0, count] = measured.output.split(" ").map(Number);
        expectCount(count, images);
        return { ...measured, seconds };
      },
    },
  ]);
}

/**
 * A migration as a whole process, with workers and without, on a disk and in memory.
 * @param {Context} context @param {number} images @returns {Promise<Contender[]>}
 */
export async function migrations({ subjects, inputs, stores }, images) {
  const varves = subjects.filter(isVarve);
  if (varves[0] === undefined) return [];
  const graph = await inputs.graph(images, 40, varves[0]);
  const places = [
    { key: "", name: "", root: copyTo(stores.fresh({ key: "graph" }), graph) },
    { key: "-memory", name: ", in memory", root: copyTo(stores.freshInMemory({ key: "graph" }), graph) },
  ];
  const ways = [
    { key: "", name: "", env: {} },
    { key: "-alone", name: ", one thread", env: { VARVE_THREADS: "0" } },
  ];
  return varves.flatMap(({ key, name, node = "", dist = "" }) =>
    places.flatMap((place) =>
      ways.map((way) => ({
        key: `${key}${place.key}${way.key}`,
        name: `${name}${place.name}${way.name}`,
        work: async () => {
          forgetMigration(place.root);
          settle(place.root);
          const command = [node, join(dist, "cli/main.js"), "--root", place.root, "migrate", "-q", "v1"];
          const measured = await measure(command, { env: way.env });
          expectCount(Number(/Migrated (\d+) images/.exec(measured.output)?.[1]), images);
          return measured;
        },
      })),
    ),
  );
}

/** @param {string} home @param {string} root */
function copyTo(home, root) {
  const copy = join(home, "data");
  run(["cp", "-a", root, copy]);
  return copy;
}

/** Makes a root again what it was before its graph was migrated. @param {string} root */
function forgetMigration(root) {
  const notes = [root, ...readdirSync(join(root, "graph")).map((id) => join(root, "graph", id))].flatMap((directory) =>
    readdirSync(directory)
      .filter((name) => name.startsWith(".migration-"))
      .map((name) => join(directory, name)),
  );
  for (const path of [...notes, join(root, "image"), join(root, "varve")])
    rmSync(path, { recursive: true, force: true });
}

/** @param {number | undefined} found @param {number} expected */
function expectCount(found, expected) {
  if (found !== expected) throw new Error(`found ${found} of ${expected} images`);
}
