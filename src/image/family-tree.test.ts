import fc from "fast-check";
import { expect, test } from "vitest";
import { FamilyTree } from "./family-tree.ts";
import type { ImageID } from "./image.ts";

const ids = fc.constantFrom("a", "b", "c", "d", "e") as fc.Arbitrary<string> as fc.Arbitrary<ImageID>;

test("whatever is linked and unlinked, parents and children agree and nothing is its own ancestor", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(ids, fc.option(ids))), (steps) => {
      const tree = new FamilyTree();
      const model = new Map<ImageID, ImageID>();
      for (const [id, parent] of steps) {
        if (parent === null) {
          tree.unlink(id);
          model.delete(id);
        } else {
          const closesCircle = ancestors(model, parent).includes(id);
          expect(tree.link(id, parent)).toBe(!closesCircle);
          if (!closesCircle) model.set(id, parent);
        }
      }
      for (const id of ["a", "b", "c", "d", "e"] as unknown as ImageID[]) {
        expect(tree.parent(id)).toBe(model.get(id));
        expect(tree.children(id)).toEqual(
          [...model]
            .filter(([, p]) => p === id)
            .map(([child]) => child)
            .sort(),
        );
        expect(tree.hasChildren(id)).toBe([...model.values()].includes(id));
      }
    }),
  );
});

function ancestors(parents: ReadonlyMap<ImageID, ImageID>, id: ImageID): ImageID[] {
  const parent = parents.get(id);
  return parent === undefined ? [id] : [id, ...ancestors(parents, parent)];
}
