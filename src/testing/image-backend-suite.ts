import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { digestOf } from "../digest/digest.ts";
import type { ImageBackend } from "../image/backend.ts";
import type { ImageID } from "../image/image.ts";

/** A backend without images, and how to be rid of it. */
export interface OpenedImageBackend {
  readonly backend: ImageBackend;
  close(): void;
}

/**
 * What every `ImageBackend` promises.
 *
 * @example imageBackendSuite("in memory", () => ({ backend: new MemoryBackend(), close() {} }));
 */
export function imageBackendSuite(name: string, open: () => OpenedImageBackend): void {
  describe(`image backend ${name}`, () => {
    let opened: OpenedImageBackend;
    let backend: ImageBackend;
    beforeEach(() => {
      opened = open();
      backend = opened.backend;
    });
    afterEach(() => opened.close());

    const raw = Buffer.from('{"rootfs":{}}');
    const unknown: ImageID = digestOf("never stored");

    test("is empty at first, and says so", () => {
      expect(backend.ids()).toEqual([]);
      expect(backend.metadata(unknown, "parent")).toBeUndefined();
      expect(() => backend.get(unknown)).toThrow(expect.objectContaining({ code: "not-found" }));
    });

    test("gives bytes back under their own digest", () => {
      const id = backend.set(raw);
      expect(id).toBe(digestOf(raw));
      expect(backend.get(id)).toEqual(raw);
      expect(backend.ids()).toEqual([id]);
      expect(backend.set(raw)).toBe(id);
      expect(backend.ids()).toEqual([id]);
    });

    test("refuses to keep nothing", () => {
      expect(() => backend.set(new Uint8Array(0))).toThrow(expect.objectContaining({ message: "invalid empty data" }));
      expect(backend.ids()).toEqual([]);
    });

    test("keeps values beside an image, and only beside one", () => {
      const id = backend.set(raw);
      backend.setMetadata(id, "parent", Buffer.from("a"));
      backend.setMetadata(id, "lastUpdated", Buffer.from(""));
      backend.setMetadata(id, "parent", Buffer.from([0, 255]));
      expect(backend.metadata(id, "parent")).toEqual(Buffer.from([0, 255]));
      expect(backend.metadata(id, "lastUpdated")).toEqual(Buffer.from(""));
      backend.deleteMetadata(id, "parent");
      backend.deleteMetadata(id, "parent");
      expect(backend.metadata(id, "parent")).toBeUndefined();
      expect(backend.metadata(id, "lastUpdated")).toBeDefined();
      expect(() => backend.setMetadata(unknown, "parent", raw)).toThrow(expect.objectContaining({ code: "not-found" }));
      expect(backend.metadata(unknown, "parent")).toBeUndefined();
    });

    test.each(["", ".", "..", "a/b", "/a", "a\0", ".tmp-parent1"])("refuses %j as the name of a value", (key) => {
      const id = backend.set(raw);
      for (const work of [
        () => backend.setMetadata(id, key, raw),
        () => backend.metadata(id, key),
        () => backend.deleteMetadata(id, key),
      ])
        expect(work).toThrow(expect.objectContaining({ code: "invalid-argument" }));
    });

    test("forgets an image with all its values, and does not mind when there is none", () => {
      const id = backend.set(raw);
      const other = backend.set(Buffer.from("other"));
      backend.setMetadata(id, "parent", Buffer.from("a"));
      backend.delete(id);
      backend.delete(id);
      backend.delete(unknown);
      expect(backend.ids()).toEqual([other]);
      expect(() => backend.get(id)).toThrow(expect.objectContaining({ code: "not-found" }));
      backend.set(raw);
      expect(backend.metadata(id, "parent")).toBeUndefined();
    });

    test("holds what a simple map would hold, whatever is done to it", () => {
      const step = fc.tuple(
        fc.constantFrom("set", "delete", "setMetadata", "deleteMetadata"),
        fc.constantFrom("one", "two", "three"),
        fc.constantFrom("parent", "lastUpdated"),
        fc.uint8Array({ maxLength: 4 }),
      );
      fc.assert(
        fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
          const model = new Map<ImageID, Map<string, Buffer>>();
          for (const id of backend.ids()) backend.delete(id);
          for (const [verb, text, key, value] of steps) {
            const id = digestOf(text);
            if (verb === "set") {
              backend.set(Buffer.from(text));
              if (!model.has(id)) model.set(id, new Map());
            } else if (verb === "delete") {
              backend.delete(id);
              model.delete(id);
            } else if (verb === "deleteMetadata") {
              backend.deleteMetadata(id, key);
              model.get(id)?.delete(key);
            } else if (model.has(id)) {
              backend.setMetadata(id, key, value);
              model.get(id)!.set(key, Buffer.from(value));
            }
          }
          expect(backend.ids().sort()).toEqual([...model.keys()].sort());
          for (const [id, values] of model)
            for (const key of ["parent", "lastUpdated"]) expect(backend.metadata(id, key)).toEqual(values.get(key));
        }),
        { numRuns: 30 },
      );
    });
  });
}
