// The cases, each a line of the goals.
import { atMost, faster, keepsBusy, linear, slope, underMemory, withinSeconds } from "./goals.mjs";
import { SIZES } from "./inputs.mjs";
import { served } from "./subjects.mjs";
import { bareNodes, floor, handles, lists, loads, migrations, openings, reads, removals, saves } from "./work.mjs";

/**
 * @typedef {import("./work.mjs").Context} Context
 *
 * @typedef {object} Case
 * @property {string} name
 * @property {string} title
 * @property {import("./goals.mjs").Goal[]} goals
 * @property {number} [repeat] how many times as many rounds, for what is over in an instant
 * @property {(context: Context) => import("./work.mjs").Contender[] | Promise<import("./work.mjs").Contender[]>} contenders
 * @property {(context: Context) => void} [after]
 */

const VARVES = ["varve20", "varve24"];
const DOCKERS = [...VARVES, "dockerd"];
const each = (/** @type {(varve: string) => import("./goals.mjs").Goal[]} */ goals) => VARVES.flatMap(goals);

/** @type {Case[]} */
export const CASES = [
  {
    name: "load",
    title: "the real image into an empty store",
    goals: [
      ...[faster("varve20", 3), faster("varve24", 3.5)],
      ...each((varve) => ["podman", "skopeo", "ctr"].map((peer) => faster(varve, 1, peer))),
      ...each((varve) => [atMost(varve, 1.4, "floor"), faster(`${varve}-layer`, 2), underMemory(varve, 200)]),
    ],
    contenders: (context) => [
      floor(context),
      ...loads(only(context, ...DOCKERS, "podman", "skopeo", "ctr"), context.inputs.real()),
      ...loads(only(context, ...VARVES), context.inputs.real(), "layer"),
    ],
  },
  {
    name: "again",
    title: "the real image into a store that has it",
    goals: each((varve) => [faster(varve, 5)]),
    contenders: (context) => {
      const real = context.inputs.real();
      return reads(only(context, ...DOCKERS, "podman", "skopeo", "ctr"), real, (session) => session.load(real));
    },
  },
  {
    name: "save",
    title: "the real image to a file",
    goals: each((varve) => [faster(varve, 4), underMemory(varve, 200)]),
    contenders: (context) => saves(only(context, ...DOCKERS, "podman", "skopeo"), context.inputs.real(), "file"),
  },
  {
    name: "pipe",
    title: "the real image to a pipe",
    goals: each((varve) => [faster(varve, 4), underMemory(varve, 200)]),
    contenders: (context) => saves(only(context, ...DOCKERS, "podman"), context.inputs.real(), "pipe"),
  },
  {
    name: "rmi",
    title: "the real image removed",
    goals: each((varve) => [faster(varve, 1)]),
    contenders: (context) => removals(only(context, ...DOCKERS, "podman", "ctr"), context.inputs.real()),
    after: ({ stores, inputs }) => stores.forget(inputs.real()),
  },
  {
    name: "tiny-load",
    title: "busybox into an empty store, dockerd running already",
    repeat: 2,
    goals: each((varve) => [faster(varve, 1), faster(`${varve}-handle`, 1)]),
    contenders: (context) => {
      const tiny = context.inputs.tiny();
      return [...loads(only(context, ...DOCKERS), tiny), ...handles(context, tiny, "load"), ...bareNodes(context)];
    },
  },
  ...["save", "images", "inspect"].map((verb) => tiny(/** @type {"save"} */ (verb))),
  {
    name: "many",
    title: "500 images in one archive into an empty store",
    goals: each((varve) => [faster(varve, 3)]),
    contenders: (context) => loads(only(context, ...DOCKERS), context.inputs.many(500)),
    after: ({ stores, inputs }) => stores.forget(inputs.many(500)),
  },
  {
    name: "list-1000",
    title: "opening a store of 1,000 images and listing them",
    goals: [],
    contenders: (context) => lists(only(context, ...DOCKERS), 1000),
  },
  {
    name: "list-5000",
    title: "opening a store of 5,000 images and 20,000 layers and listing them",
    goals: each((varve) => [
      ...[withinSeconds(varve, 1), underMemory(varve, 250), faster(varve, 5)],
      slope(varve, { from: "list-1000", more: 4000, limit: 100 }),
    ]),
    contenders: (context) => lists(only(context, ...DOCKERS), 5000),
  },
  ...["load", "save", "pipe"].map((verb) => behindDaemon(/** @type {"load"} */ (verb))),
  {
    name: "graph-open",
    title: "a v1 graph of 2,000 images opened",
    goals: each((varve) => [withinSeconds(varve, 2), withinSeconds(`${varve}-library`, 2)]),
    contenders: (context) => openings(only(context, ...VARVES), 2000),
  },
  {
    name: "graph-migrate",
    title: "a v1 graph of 300 layers, 1.2 GB, migrated",
    goals: each((varve) => [
      ...[faster(`${varve}-memory`, 1.3, `${varve}-memory-alone`), keepsBusy(`${varve}-memory`, 1.4)],
      ...[faster(varve, 1, `${varve}-alone`), underMemory(varve, 250)],
    ]),
    contenders: (context) => migrations(only(context, ...VARVES), 300),
  },
  ...Object.keys(SIZES).flatMap((size) => growth(/** @type {keyof typeof SIZES} */ (size))),
];

/** @param {"save" | "images" | "inspect"} verb @returns {Case} */
function tiny(verb) {
  return {
    name: `tiny-${verb}`,
    title: `busybox: ${verb} as a whole process, dockerd running already`,
    repeat: 2,
    goals: each((varve) => [faster(varve, 1), faster(`${varve}-handle`, 1)]),
    contenders: (context) => {
      const input = context.inputs.tiny();
      return [
        ...reads(only(context, ...DOCKERS), input, (session) => session[verb]?.(input.reference)),
        ...handles(context, input, verb),
        ...bareNodes(context),
      ];
    },
    ...(verb === "inspect" ? { after: ({ stores, inputs }) => stores.forget(inputs.tiny()) } : {}),
  };
}

/** Docker's client in front of either daemon. @param {"load" | "save" | "pipe"} verb @returns {Case} */
function behindDaemon(verb) {
  const titles = { load: "load of 400 MB", save: "save of 400 MB to a file", pipe: "save of 400 MB to a pipe" };
  return {
    name: `daemon-${verb}`,
    title: `docker ${titles[verb]}, through a daemon`,
    goals: each((varve) => [
      faster(varve, 1),
      ...(verb === "load" ? [faster(`${varve}-layer`, 1)] : []),
      underMemory(varve, 250),
    ]),
    contenders: (context) => {
      const { subjects } = only(context, ...VARVES);
      const durabilities = verb === "load" ? /** @type {const} */ (["none", "layer"]) : /** @type {const} */ (["none"]);
      const varves = durabilities.flatMap((durability) => subjects.map((subject) => served(subject, durability)));
      const both = { ...context, subjects: [...only(context, "dockerd").subjects, ...varves] };
      const input = context.inputs.sized("400MB");
      return verb === "load" ? loads(both, input) : saves(both, input, verb === "save" ? "file" : "pipe");
    },
    ...(verb === "pipe" ? { after: ({ stores, inputs }) => stores.forget(inputs.sized("400MB")) } : {}),
  };
}

/** What load and save cost as the image grows: nothing but its bytes. @param {keyof typeof SIZES} size @returns {Case[]} */
function growth(size) {
  return /** @type {const} */ (["load", "save"]).map((verb) => ({
    name: `grow-${verb}-${size}`,
    title: `${verb} of an image of ${size.replace(/(?=[MG])/, " ")}`,
    goals: each((varve) => [
      underMemory(varve, 200),
      ...(size === "4GB"
        ? [linear(varve, { from: `grow-${verb}-400MB`, units: [SIZES["400MB"], SIZES["4GB"]], limit: 1.2 })]
        : []),
    ]),
    contenders: (context) => {
      const [contestants, input] = [only(context, ...VARVES), context.inputs.sized(size)];
      return verb === "load" ? loads(contestants, input) : saves(contestants, input, "file");
    },
    ...(verb === "save" ? { after: ({ stores, inputs }) => stores.forget(inputs.sized(size)) } : {}),
  }));
}

/** @param {Context} context @param {string[]} keys @returns {Context} */
function only(context, ...keys) {
  return { ...context, subjects: context.subjects.filter(({ key }) => keys.includes(key)) };
}
