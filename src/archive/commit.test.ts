import { expect, test } from "vitest";
import { EMPTY_CONTAINER_CONFIG } from "../image/container-config.ts";
import type { Stores } from "./archive.ts";
import { type CommitSource, commitContainer } from "./commit.ts";

test("a commit that nobody wants any more when its layer is there makes no image, and gives the layer back", async () => {
  const abort = new AbortController();
  const done: string[] = [];
  const layer = { release: async () => void done.push("released") };
  const stores = {
    layers: {
      register: async () => {
        abort.abort();
        return layer;
      },
    },
    images: { create: async () => void done.push("made") },
  } as unknown as Stores;
  const container = {
    ...{ id: "ab".repeat(32), image: undefined, config: EMPTY_CONTAINER_CONFIG },
    layer: { tarStream: async function* () {} },
  } as unknown as CommitSource;
  const committed = commitContainer(container, stores, { signal: abort.signal });
  await expect(committed).rejects.toMatchObject({ code: "cancelled" });
  expect(done).toEqual(["released"]);
});
