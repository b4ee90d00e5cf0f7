import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ImageID } from "../image/image.ts";
import { familiarString, parseNormalized } from "../reference/reference.ts";
import { planPrune, planRemoval, type RemovalModel, type RemovalStep } from "./removal.ts";

const id = (digit: string): ImageID => `sha256:${digit.repeat(64)}`;
const [A, B, C] = [id("a"), id("b"), id("c")];
const DIGEST = `@sha256:${"9".repeat(64)}`;

interface Sketch {
  readonly tags: Partial<Record<ImageID, readonly string[]>>;
  /** Child to parent; also the order of the layers: each image has one layer on its parent's. */
  readonly parents?: Partial<Record<ImageID, ImageID>>;
  readonly containers?: readonly { image: ImageID; running: boolean }[];
}

function model({ tags, parents = {}, containers = [] }: Sketch): RemovalModel {
  const images = Object.keys(tags) as ImageID[];
  const made: RemovalModel = {
    references: new Map(images.map((image) => [image, tags[image]!.map(parseNormalized)])),
    children: new Map(images.map((image) => [image, new Set(images.filter((child) => parents[child] === image))])),
    parents: new Map(Object.entries(parents) as [ImageID, ImageID][]),
    chains: new Map(images.map((image) => [image, image])),
    layers: new Map(
      images.map((image) => [
        image,
        { parent: parents[image], references: 1 + images.filter((child) => parents[child] === image).length },
      ]),
    ),
    containers: containers.map((container, i) => ({ id: `${i}`.repeat(64), ...container })),
  };
  return made;
}

function show(steps: readonly RemovalStep[]): string[] {
  return steps.flatMap((step) =>
    step.kind === "untag"
      ? [`untagged ${familiarString(step.reference)}`]
      : [`deleted ${step.image[7]}`, ...step.layers.map((layer) => `layer ${layer[7]}`)],
  );
}

const careful = { force: false, prune: true };

// The answers are those of dockerd 20.10's image_delete.go rules, and compared with a live one in test/engine.
describe("removing an image", () => {
  test("one tag of several only goes itself", () => {
    const steps = planRemoval(
      model({ tags: { [A]: ["x:1", "x:2"] } }),
      { image: A, reference: parseNormalized("x:1") },
      careful,
    );
    expect(show(steps)).toEqual(["untagged x:1"]);
  });

  test("the last tag takes the image, its layers and its untagged parents along", () => {
    const world = model({ tags: { [A]: ["x:1"], [B]: [], [C]: ["base:1"] }, parents: { [A]: B, [B]: C } });
    const steps = planRemoval(world, { image: A, reference: parseNormalized("x:1") }, careful);
    expect(show(steps)).toEqual(["untagged x:1", "deleted a", "layer a", "deleted b", "layer b"]);
  });

  test("without pruning the parents stay", () => {
    const world = model({ tags: { [A]: ["x:1"], [B]: [] }, parents: { [A]: B } });
    const steps = planRemoval(world, { image: A, reference: parseNormalized("x:1") }, { force: false, prune: false });
    expect(show(steps)).toEqual(["untagged x:1", "deleted a", "layer a"]);
  });

  test("the last tag of an image with children goes alone", () => {
    const world = model({ tags: { [A]: ["child:1"], [B]: ["parent:1"] }, parents: { [A]: B } });
    const steps = planRemoval(world, { image: B, reference: parseNormalized("parent:1") }, careful);
    expect(show(steps)).toEqual(["untagged parent:1"]);
  });

  test("with the last tag the digest references of its repository go", () => {
    const world = model({ tags: { [A]: ["x:1", `x${DIGEST}`, "y:1"] } });
    const steps = planRemoval(world, { image: A, reference: parseNormalized("x:1") }, careful);
    expect(show(steps)).toEqual(["untagged x:1", `untagged x${DIGEST}`]);
  });

  test.each([
    [
      "by id with tags in two repositories",
      { tags: { [A]: ["x:1", "y:1"] } },
      "(must be forced) - image is referenced in multiple repositories",
    ],
    [
      "by id with children",
      { tags: { [A]: ["x:1"], [B]: [] }, parents: { [A]: B } },
      "(cannot be forced) - image has dependent child images",
    ],
    [
      "by id with a stopped container",
      { tags: { [A]: [] }, containers: [{ image: A, running: false }] },
      "(must be forced) - image is being used by stopped container 000000000000",
    ],
    [
      "by id with a running container",
      { tags: { [A]: [] }, containers: [{ image: A, running: true }] },
      "(cannot be forced) - image is being used by running container 000000000000",
    ],
  ] as [string, Sketch, string][])("%s is a conflict", (_, sketch, message) => {
    const image = (sketch.parents?.[A] ?? A) as ImageID;
    expect(() => planRemoval(model(sketch), { image }, careful)).toThrow(message);
  });

  test("by its only tag with a container is a conflict too, unless forced", () => {
    const sketch = { tags: { [A]: ["x:1"] }, containers: [{ image: A, running: false }] };
    const target = { image: A, reference: parseNormalized("x:1") };
    expect(() => planRemoval(model(sketch), target, careful)).toThrow(
      'conflict: unable to remove repository reference "x:1" (must force) - container 000000000000 is using its referenced image aaaaaaaaaaaa',
    );
    expect(show(planRemoval(model(sketch), target, { force: true, prune: true }))).toEqual([
      "untagged x:1",
      "deleted a",
      "layer a",
    ]);
  });

  test("force by id removes every tag, and still no image with children", () => {
    const forced = { force: true, prune: true };
    expect(show(planRemoval(model({ tags: { [A]: ["x:1", "y:1"] } }), { image: A }, forced))).toEqual([
      "untagged x:1",
      "untagged y:1",
      "deleted a",
      "layer a",
    ]);
    const world = model({ tags: { [A]: [], [B]: [] }, parents: { [A]: B } });
    expect(() => planRemoval(world, { image: B }, forced)).toThrow("cannot be forced");
  });

  test("never takes an image or layer that something else needs", () => {
    const arbitrary = fc.record({
      tagsA: fc.subarray(["a:1", "z/a:2", `a${DIGEST}`]),
      tagsB: fc.subarray(["b:1", "b:2"]),
      tagsC: fc.subarray(["c:1"]),
      users: fc.array(fc.record({ image: fc.constantFrom(A, B, C), running: fc.boolean() }), { maxLength: 2 }),
      force: fc.boolean(),
      prune: fc.boolean(),
      target: fc.constantFrom(A, B, C),
    });
    fc.assert(
      fc.property(arbitrary, ({ tagsA, tagsB, tagsC, users, force, prune, target }) => {
        const sketch = { tags: { [A]: tagsA, [B]: tagsB, [C]: tagsC }, parents: { [A]: B, [B]: C }, containers: users };
        const world = model(sketch);
        let steps: RemovalStep[];
        try {
          steps = planRemoval(world, { image: target }, { force, prune });
        } catch (error) {
          expect(error).toMatchObject({ code: "conflict" });
          expect(world).toEqual(model(sketch));
          return;
        }
        const deleted = new Set(steps.flatMap((step) => (step.kind === "delete" ? [step.image] : [])));
        for (const { image, running } of users) if (running) expect(deleted.has(image)).toBe(false);
        for (const [child, parent] of [
          [A, B],
          [B, C],
        ] as const)
          if (!deleted.has(child)) expect(deleted.has(parent)).toBe(false);
        for (const step of steps) if (step.kind === "delete") expect(step.layers).toEqual([step.image]);
      }),
    );
  });
});

describe("pruning", () => {
  test("takes what has no tag and no child, and with all also what has tags, as long as nobody uses it", () => {
    const sketch = {
      tags: { [A]: [], [B]: ["b:1"], [C]: [`c${DIGEST}`] },
      containers: [{ image: B, running: false }],
    };
    expect(show(planPrune(model(sketch), [A, B, C], false))).toEqual([
      "deleted a",
      "layer a",
      `untagged c${DIGEST}`,
      "deleted c",
      "layer c",
    ]);
    expect(show(planPrune(model({ ...sketch, containers: [] }), [A, B, C], true))).toContain("deleted b");
    expect(show(planPrune(model(sketch), [A, B, C], true))).not.toContain("deleted b");
  });

  test("takes an untagged chain from its top", () => {
    const world = model({ tags: { [A]: [], [B]: [] }, parents: { [A]: B } });
    expect(show(planPrune(world, [A, B], false))).toEqual(["deleted a", "layer a", "deleted b", "layer b"]);
  });
});
