import { expect, test } from "vitest";
import { matchesEvent } from "./event-filter.ts";
import type { StoreEvent } from "./events.ts";

const IMAGE = `sha256:${"a".repeat(64)}`;
const CONTAINER = "c".repeat(64);
const tagged: StoreEvent = {
  type: "image",
  action: "tag",
  id: IMAGE,
  attributes: { name: "localhost:5000/base:1", stage: "prod" },
  timeNano: "1",
};
const created: StoreEvent = {
  type: "container",
  action: "create",
  id: CONTAINER,
  attributes: { name: "web-1", image: "base:1" },
  timeNano: "2",
};

test.each([
  [{}, [tagged, created]],
  [{ type: ["image"] }, [tagged]],
  [{ type: ["image", "container"], event: ["create", "destroy"] }, [created]],
  [{ scope: ["swarm"] }, []],
  [{ image: [IMAGE] }, [tagged]],
  [{ image: ["localhost:5000/base"] }, [tagged]],
  [{ image: ["localhost"] }, []],
  [{ image: ["base"] }, [created]],
  [{ container: ["web"] }, [created]],
  [{ container: [CONTAINER.slice(0, 5)] }, [created]],
  [{ volume: ["nothing"] }, []],
  [{ label: ["stage"] }, [tagged]],
  [{ label: ["stage=prod", "who"] }, []],
  [{ unheard: ["of"] }, [tagged, created]],
])("the filters %j let through what Docker's do", (filters: Record<string, string[]>, expected) => {
  const given = new Map(Object.entries(filters));
  expect([tagged, created].filter((event) => matchesEvent(event, given))).toEqual(expected);
});
