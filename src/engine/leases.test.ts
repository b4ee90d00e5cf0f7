import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Doubts } from "./doubts.ts";
import { type Lease, Leases } from "./leases.ts";

const CHAIN = `sha256:${"a".repeat(64)}` as const;
const OTHER = `sha256:${"b".repeat(64)}` as const;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "varve-leases-"));
  mkdirSync(join(root, "varve"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** As another process would open the root: `flock` tells apart descriptors, not processes. */
function open(): Leases {
  return new Leases(join(root, "varve", "leases"), new Doubts(join(root, "varve", "doubts")));
}

function leaseOf(leases: Leases): Lease {
  const lease = leases.open();
  lease.run(() => leases.holdInScope(CHAIN));
  return lease;
}

describe("leases", () => {
  test("are seen by others while the last of them lasts, and never by their holder", () => {
    const [mine, theirs] = [open(), open()];
    const outer = leaseOf(mine);
    {
      using _inner = leaseOf(mine);
      expect(theirs.heldElsewhere(CHAIN)).toBe(true);
      expect(mine.heldElsewhere(CHAIN)).toBe(false);
      expect(mine.isHeld(CHAIN)).toBe(true);
      expect(theirs.heldElsewhere(CHAIN)).toBe(true);
    }
    expect(theirs.heldElsewhere(CHAIN)).toBe(true);
    outer[Symbol.dispose]();
    expect(theirs.heldElsewhere(CHAIN)).toBe(false);
    expect(mine.isHeld(CHAIN)).toBe(false);
  });

  test("are taken inside of a set only", () => {
    const [mine, theirs] = [open(), open()];
    mine.holdInScope(CHAIN);
    using lease = mine.open();
    lease.run(() => mine.outside(() => mine.holdInScope(CHAIN)));
    expect(theirs.heldElsewhere(CHAIN)).toBe(false);
  });

  test("keep containers too", () => {
    const [mine, theirs] = [open(), open()];
    {
      using lease = mine.open();
      lease.holdContainer("c1");
      expect([mine.isContainerHeld("c1"), theirs.isContainerHeld("c1")]).toEqual([true, true]);
      expect(theirs.isContainerHeld("c2")).toBe(false);
    }
    expect([mine.isContainerHeld("c1"), theirs.isContainerHeld("c1")]).toEqual([false, false]);
  });

  test("leave no files behind after a sweep", () => {
    const [mine, theirs] = [open(), open()];
    {
      using _lease = leaseOf(mine);
      theirs.sweep();
      expect(readdirSync(join(root, "varve", "leases"))).toEqual(["a".repeat(64)]);
    }
    theirs.sweep();
    expect(readdirSync(join(root, "varve", "leases"))).toEqual([]);
  });

  test("leave no trace on a root that Varve never changed", () => {
    rmSync(join(root, "varve"), { recursive: true });
    using _lease = leaseOf(open());
    expect(existsSync(join(root, "varve"))).toBe(false);
  });

  test("of a layer that is being made leave a doubt until they end", () => {
    const [mine, doubts] = [open(), new Doubts(join(root, "varve", "doubts"))];
    {
      using lease = mine.open();
      lease.run(() => mine.holdInScope(CHAIN, true));
      expect([...doubts.all().keys()]).toEqual([CHAIN]);
    }
    expect(doubts.all().size).toBe(0);
  });
});

describe("doubts", () => {
  test("are settled by who raised them, or all that were known of a layer", () => {
    const doubts = new Doubts(join(root, "varve", "doubts"));
    expect(doubts.all().size).toBe(0);
    const first = doubts.raise(CHAIN);
    doubts.raise(CHAIN);
    doubts.raise(OTHER);
    first[Symbol.dispose]();
    const known = doubts.all();
    expect([...known.keys()].sort()).toEqual([CHAIN, OTHER]);
    const later = doubts.raise(CHAIN);
    known.get(CHAIN)?.[Symbol.dispose]();
    expect([...doubts.all().keys()].sort()).toEqual([CHAIN, OTHER]);
    later[Symbol.dispose]();
    expect([...doubts.all().keys()]).toEqual([OTHER]);
  });
});
