// What the subjects work on. Everything is made once, without a daemon, and kept in the work directory.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { layerAt, layerOf, tarOf, writeArchive } from "./archive.mjs";
import { makeLayers } from "./real-image.mjs";

/** A size is its number of units in each of four layers; a unit is 25 MB of small and large files. */
export const SIZES = /** @type {const} */ ({ "100MB": 1, "400MB": 4, "1GB": 10, "4GB": 40 });
/** What a unit is made of: many small files and a few large ones, as in the real image. */
const UNIT = {
  base: ["usr/bin", "usr/lib/x86_64-linux-gnu/gconv"],
  modules: ["srv/app/node_modules/lodash"],
};

/**
 * @typedef {object} Input
 * @property {string} name
 * @property {string} file the archive
 * @property {string} reference of its first image
 * @property {string[]} ids of all its images
 * @property {number} bytes of the archive
 */

export class Inputs {
  #dir;
  #layers;

  /** @param {string} dir the work directory */
  constructor(dir) {
    this.#dir = join(dir, "inputs");
    this.#layers = join(dir, "layers");
    mkdirSync(this.#dir, { recursive: true });
  }

  /** Seven layers, 60,000 entries, 1 GB. */
  real() {
    return this.#archive("real", (reference) => [
      { reference, layers: Object.values(this.layers()).map((path) => layerAt(path)) },
    ]);
  }

  /** The layers of the real image, each a tar. */
  layers() {
    return makeLayers(this.#layers);
  }

  /** busybox and the links to it. */
  tiny() {
    return this.#archive("tiny", (reference, scratch) => {
      execFileSync("apt-get", ["-qq", "-o", "APT::Sandbox::User=root", "download", "busybox-static"], { cwd: scratch });
      execFileSync("sh", ["-c", "dpkg-deb -x *.deb tree"], { cwd: scratch });
      const busybox = join(scratch, "tree/bin/busybox");
      const tools = execFileSync(busybox, ["--list"], { encoding: "utf8" }).trim().split("\n");
      const layer = tarOf([
        ...["bin/", "etc/", "tmp/", "usr/"].map((name) => ({ name, type: "5" })),
        { name: "bin/busybox", content: readFileSync(busybox), mode: 0o755 },
        ...tools
          .filter((name) => name !== "busybox")
          .map((name) => ({ name: `bin/${name}`, type: "2", link: "busybox" })),
      ]);
      return [{ reference, layers: [layerOf(layer)] }];
    });
  }

  /** Images of a few files: `together` of them share `shared` layers, and each has `own` layers of its own. */
  many(/** @type {number} */ count, { together = 50, shared = 4, own = 1, first = 0 } = {}) {
    return this.#archive(`many-${count}${first === 0 ? "" : `-from-${first}`}`, (reference) => {
      const small = (/** @type {string} */ name) =>
        layerOf(
          tarOf([
            { name: "srv/", type: "5" },
            { name: `srv/${name}`, content: `${name}\n`.repeat(100) },
          ]),
        );
      const layers = (/** @type {string} */ name, /** @type {number} */ length) =>
        Array.from({ length }, (_, index) => small(`${name}-${index}`));
      let base = layers(`base-${first}`, shared);
      return Array.from({ length: count }, (_, number) => {
        const index = first + number;
        if (index % together === 0) base = layers(`base-${index}`, shared);
        return {
          reference: number === 0 ? reference : `varve-bench/many:${index}`,
          layers: [...base, ...layers(`own-${index}`, own)],
        };
      });
    });
  }

  /** A directory whose `data` is a data-root of this many images; four layers to an image. @param {number} count @param {import("./subjects.mjs").Subject} varve makes it */
  async store(count, varve) {
    const home = join(this.#dir, `store-${count}`);
    if (existsSync(home)) return home;
    const draft = this.#scratch(`store-${count}`);
    const session = await varve.open(draft);
    for (let first = 0; first < count; first += 1000) {
      const archive = this.many(1000, { together: 10, shared: 10, own: 3, first });
      const [program = "", ...args] = session.load(archive);
      execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
    }
    renameSync(draft, home);
    return home;
  }

  /**
   * A data-root of Docker 1.9 with overlay2: this many images, ten on each other, each with so many files of 100 kB.
   * @param {number} images @param {number} files @param {import("./subjects.mjs").Subject} varve whose maker of graphs makes it
   */
  async graph(images, files, varve) {
    const root = join(this.#dir, `graph-${images}`);
    if (existsSync(root)) return root;
    console.error(`making the input graph-${images}`);
    const draft = this.#scratch(`graph-${images}`);
    const { makeLargeV1Graph } = await import(join(varve.dist ?? "", "testing/v1-large.js"));
    makeLargeV1Graph(draft, "overlay2", files === 0 ? { images } : { images, files, fileSize: 100_000 });
    renameSync(draft, root);
    return root;
  }

  /** Four layers of the same mix, whatever the size. */
  sized(/** @type {keyof typeof SIZES} */ size) {
    return this.#archive(size.toLowerCase(), (reference, scratch) => {
      const tree = join(scratch, "unit");
      mkdirSync(tree);
      const sources = this.layers();
      for (const [name, paths] of Object.entries(UNIT))
        execFileSync("tar", ["-C", tree, "-xf", sources[/** @type {keyof typeof UNIT} */ (name)], ...paths]);
      const layers = [1, 2, 3, 4].map((number) => {
        const path = join(scratch, `${number}.tar`);
        for (let unit = 0; unit < SIZES[size]; unit++)
          execFileSync("tar", [
            ...["--sort=name", "--numeric-owner", "--format=gnu", "-C", tree, "-rf", path],
            ...[`--transform=s,^,layer-${number}/unit-${unit}/,S`, "srv", "usr"],
          ]);
        return layerAt(path);
      });
      return [{ reference, layers }];
    });
  }

  /**
   * Makes an archive whole or not at all, and only when it is not there.
   * @param {string} name @param {(reference: string, scratch: string) => import("./archive.mjs").ImageParts[]} make
   * @returns {Input}
   */
  #archive(name, make) {
    const file = join(this.#dir, `${name}.tar`);
    const facts = join(this.#dir, `${name}.json`);
    const reference = `varve-bench/${name}:latest`;
    if (!existsSync(facts)) {
      console.error(`making the input ${name}`);
      const scratch = this.#scratch(name);
      const ids = writeArchive(file, make(reference, scratch));
      rmSync(scratch, { recursive: true });
      writeFileSync(`${facts}.draft`, JSON.stringify(ids));
      renameSync(`${facts}.draft`, facts);
    }
    return { name, file, reference, ids: JSON.parse(readFileSync(facts, "utf8")), bytes: statSync(file).size };
  }

  #scratch(/** @type {string} */ name) {
    const scratch = join(this.#dir, `${name}.draft`);
    rmSync(scratch, { recursive: true, force: true });
    mkdirSync(scratch);
    return scratch;
  }
}
