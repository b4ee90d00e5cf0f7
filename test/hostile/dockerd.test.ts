import { describe, expect, test } from "vitest";
import { dockerMembers, makeImage } from "../../src/testing/archive-bench.ts";
import { readTar, tarOf } from "../../src/testing/tar-entries.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { useBench } from "./bench.ts";
import { LAYERS, verdictFor } from "./layers.ts";

const lack = lacking("root", "dockerd", "docker");

/**
 * Layers that dockerd 20.10 cannot give back, however they came into the store (FORMATS 9.5): it looks for content that
 * headers only claim, and follows names and links out of the tree.
 */
const LOST_ON_DOCKERD: ReadonlySet<string> = new Set([
  "a file through a symlink to the root",
  "names that climb out",
  "hard links with a size",
  "symlinks, directories and fifos with a size",
]);
/** With this it is busy for days. */
const TOO_MUCH_FOR_DOCKERD: ReadonlySet<string> = new Set(["a sparse file of 4 EiB"]);
/** What we refuse and dockerd gives back, because by chance the file that took its place has the same content. */
const LUCK: ReadonlySet<string> = new Set(["something in a directory that becomes a link"]);

describe.skipIf(lack)(`dockerd and the layers that nobody makes by accident${lack ?? ""}`, () => {
  const bench = useBench("overlay2");
  const verdict = (each: (typeof LAYERS)[number]) => verdictFor(each, "overlay2");

  async function layerOf(daemon: Dockerd, name: string): Promise<Buffer> {
    const saved = readTar(await daemon.docker(["save", name]));
    return Buffer.from(saved.find(({ header }) => header.name.endsWith("/layer.tar"))!.content, "latin1");
  }

  test("gives back those that we took, and does not take or give back those that we refused", async () => {
    const taken = LAYERS.filter((each) => verdict(each) === "kept");
    const tagged = taken.map(({ layer }, i) => ({ image: makeImage([layer]), tags: [`taken:${i}`] }));
    const { error } = await bench.run(["load", "-q", "-i", bench.file("taken.tar", tarOf(dockerMembers(tagged)))]);
    expect(error).toBe("");

    const daemon = await start({ root: bench.root });
    try {
      const lost: string[] = [];
      for (const [i, { name, layer }] of taken.entries())
        if (
          !(await layerOf(daemon, `taken:${i}`).then(
            (saved) => saved.equals(layer),
            () => false,
          ))
        )
          lost.push(name);
      expect(lost.sort()).toEqual([...LOST_ON_DOCKERD].sort());

      const better: string[] = [];
      for (const each of LAYERS) {
        if (verdict(each) === "kept" || TOO_MUCH_FOR_DOCKERD.has(each.name)) continue;
        const archive = bench.file(
          "refused.tar",
          tarOf(dockerMembers([{ image: makeImage([each.layer]), tags: ["refused:1"] }])),
        );
        try {
          await daemon.docker(["load", "-q", "-i", archive]);
          if ((await layerOf(daemon, "refused:1")).equals(each.layer)) better.push(each.name);
          await daemon.docker(["rmi", "-f", "refused:1"]);
        } catch {} // as we did, or too late
      }
      expect(better).toEqual([...LUCK]);
    } finally {
      await daemon.stop();
    }
  });
});
