import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { applierOf } from "../driver/directory-applier.ts";
import { appliesInParallel, type Driver, type DriverOptions, type LayerContent } from "../driver/driver.ts";
import { isVarveError } from "../errors.ts";
import { type ByteString, fromText, toText } from "../sys/byte-string.ts";
import { TYPE } from "../tar/header.ts";
import { apply, applyTar, type Entry, everyKind, feed } from "./feed-driver.ts";
import { listTree } from "./tree-listing.ts";

/** A driver to be tried. */
export interface DriverUnderTest {
  readonly name: string;
  /** `options.home` is `<root>/<name>` in a fresh temporary root; everything it needs must come into being by itself. */
  open(options: DriverOptions): Driver | Promise<Driver>;
  /** Whether it shows whole stacks as directories and keeps trees that can be written; else it must refuse to. */
  readonly stacks: boolean;
}

/** What every driver promises (see `Driver`), whoever wrote it. Call it from a vitest file. */
export function driverSuite(subject: DriverUnderTest): void {
  describe(`driver ${subject.name}`, () => {
    let root: string;
    let home: string;
    let driver: Driver;

    beforeEach(async () => {
      root = mkdtempSync(join(tmpdir(), "driver-suite-"));
      home = join(root, subject.name);
      driver = await subject.open({ home, durability: "layer" });
    });
    afterEach(async () => {
      try {
        await driver.cleanup();
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    });

    describe("trees", () => {
      test("that are filled by plan are those of the applier, and stand on another parent when told to", async () => {
        if (!appliesInParallel(driver)) return;
        for (const [id, parent] of [["one"], ["two"], ["three"], ["child", "one"], ["top", "child"]] as const)
          await driver.create(id, parent);
        await apply(driver, "one", undefined, [{ path: "file", content: "below" }]);
        const applier = applierOf(driver.applyPlan("two"), {});
        feed(applier.sink, { path: "file", content: "below" });
        expect(await applier.finish()).toBe(5);
        await driver.syncTrees();
        await apply(driver, "child", "one", [{ path: "own", content: "mine" }]);
        await apply(driver, "top", "child", []);
        await driver.restack("child", "two");
        await driver.restack("top", "child");
        await driver.remove("one");
        for (const id of ["two", "child"]) {
          const content = await driver.content(id);
          closeSync(content.open(fromText(id === "two" ? "file" : "own")));
          content.close();
        }
        await expect(driver.restack("child", "nobody")).rejects.toSatisfy((error) => isVarveError(error, "not-found"));
        await expect(driver.restack("nobody", "two")).rejects.toSatisfy((error) => isVarveError(error, "not-found"));
        if (!subject.stacks) return;
        const path = await driver.get("top", { readOnly: true });
        expect(readdirSync(path).sort()).toEqual(["file", "own"]);
        expect(readFileSync(join(path, "file"), "utf8")).toBe("below");
        await driver.put("top");
      });

      test("come with the first create and not with opening", async () => {
        expect(driver.ids()).toEqual([]);
        expect(driver.exists("a")).toBe(false);
        expect(readdirSync(root)).toEqual([]);
        await driver.create("a");
        expect(driver.ids()).toEqual(["a"]);
        expect(driver.exists("a")).toBe(true);
      });

      test("are there for the next process, under whatever name they were given", async () => {
        const ids = ["ab".repeat(32), `${"ab".repeat(32)}-init`, "qwertzuiopasdfghjklyxcvbn"];
        for (const [index, id] of ids.entries()) await driver.create(id, ids[index - 1]);
        const next = await subject.open({ home, durability: "none" });
        expect(next.ids().sort()).toEqual(ids.sort());
      });

      test("have no name that is not one name of a directory", async () => {
        await driver.create("a");
        const before = snapshot(root);
        for (const id of ["", ".", "..", "a/b", "../a", "/a", "a\0"]) {
          expect(driver.exists(id)).toBe(false);
          const calls = {
            create: driver.create(id),
            parent: driver.create("b", id),
            remove: driver.remove(id),
            get: driver.get(id),
            put: driver.put(id),
            applier: driver.applier(id),
            content: driver.content(id),
            diffSize: driver.diffSize(id),
            metadata: driver.metadata(id),
          };
          for (const [call, result] of Object.entries(calls))
            await refuses(result, "invalid-argument", `${call} ${id}`);
        }
        expect(snapshot(root)).toEqual(before);
      });

      test("that are missing are missed by every call but remove", async () => {
        await driver.create("a");
        const calls = [driver.get("b"), driver.applier("b"), driver.content("b"), driver.diffSize("b")];
        for (const call of [...calls, driver.metadata("b"), driver.create("c", "b")]) await refuses(call, "not-found");
        await driver.remove("b");
        expect(driver.ids()).toEqual(["a"]);
      });

      test("are never made twice", async () => {
        await driver.create("a");
        await apply(driver, "a", undefined, [{ path: "f", content: "kept" }]);
        const before = snapshot(root);
        await refuses(driver.create("a"), "already-exists");
        expect(snapshot(root)).toEqual(before);
      });

      test("are removed without a trace, full or empty", async () => {
        await driver.create("base");
        const before = snapshot(root);
        await driver.create("a");
        await driver.create("b");
        await apply(driver, "a", undefined, everyKind());
        await driver.remove("a");
        await driver.remove("b");
        expect(snapshot(root)).toEqual(before);
      });

      test("that failed to take a layer can be removed", async () => {
        await driver.create("base");
        const before = snapshot(root);
        await driver.create("a");
        const applier = await driver.applier("a");
        feed(applier.sink, { path: "d/f", content: "x" });
        expect(() => feed(applier.sink, { path: "odd", type: "V" })).toThrow("unhandled tar header type 86");
        await applier.abort();
        await applier.abort();
        await driver.remove("a");
        expect(snapshot(root)).toEqual(before);
      });

      test.each(["none", "layer", "strict"] as const)("take a layer with durability %s", async (durability) => {
        const other = await subject.open({ home, durability });
        await other.create("a");
        expect(await apply(other, "a", undefined, [{ path: "f", content: "123" }])).toBe(3);
      });
    });

    describe("content", () => {
      let content: LayerContent | undefined;
      afterEach(() => {
        content?.close();
        content = undefined;
      });

      function read(name: string | ByteString): string {
        const fd = content!.open(fromText(name));
        try {
          return readFileSync(fd, "latin1");
        } finally {
          closeSync(fd);
        }
      }

      async function openContent(id: string, parent: string | undefined, entries: Entry[]): Promise<void> {
        await driver.create(id, parent);
        await apply(driver, id, parent, entries);
        content = await driver.content(id);
      }

      test("is found under the names that the layer gave it", async () => {
        await openContent("a", undefined, everyKind());
        expect(read("dir/file")).toBe("content");
        expect(read("./dir/hard")).toBe("content");
        expect(read("dir/forbidden")).toBe("secret");
        expect(read("closed/inside")).toBe("dark");
        expect(read("empty")).toBe("");
        expect(read("../../climbed")).toBe("up");
        expect(read("tolink/through")).toBe("linked");
      });

      test("is nothing but the layer's own regular files", async () => {
        await openContent("a", undefined, [
          ...everyKind(),
          { path: "passwd", type: TYPE.symlink, link: "/etc/passwd" },
        ]);
        expect(() => read("etc/passwd")).toThrow(/no such file/);
        expect(() => read("passwd")).toThrow(/no such file/);
        expect(() => read("../../../../etc/passwd")).toThrow(/no such file/);
        for (const name of ["dir", "fifo", "."]) expect(() => read(name)).toThrow();
      });

      test("keeps names that are no UTF-8", async () => {
        const name = "b\xff\xfed" as ByteString;
        await openContent("a", undefined, [{ path: "", name, content: "bytes" }]);
        const fd = content!.open(name);
        expect(readFileSync(fd, "utf8")).toBe("bytes");
        closeSync(fd);
      });

      test("is not mixed up with that of the layers below and above", async () => {
        await openContent("a", undefined, [{ path: "f", content: "below" }]);
        content!.close();
        await openContent("b", "a", [{ path: "f", content: "above" }]);
        expect(read("f")).toBe("above");
        content!.close();
        content = await driver.content("a");
        expect(read("f")).toBe("below");
      });
    });

    test("a layer without a parent is a directory, as often as it is asked for", async () => {
      await driver.create("a");
      await apply(driver, "a", undefined, [{ path: "f", content: "x" }]);
      const path = await driver.get("a");
      expect(await driver.get("a")).toBe(path);
      await driver.put("a");
      expect(readFileSync(join(path, "f"), "utf8")).toBe("x");
      await driver.put("a");
    });

    if (subject.stacks) stacksSuite();
    else
      test("what would take root is refused before it begins", async () => {
        await driver.create("a");
        await driver.create("b", "a");
        const before = snapshot(root);
        const calls = [
          driver.get("b"),
          driver.createReadWrite("c", "b"),
          driver.changes("b", "a"),
          driver.diff("b", "a"),
        ];
        for (const call of calls) await refuses(call, "permission");
        expect(snapshot(root)).toEqual(before);
      });

    function stacksSuite(): void {
      async function stack(): Promise<void> {
        await driver.create("base");
        await apply(driver, "base", undefined, [
          { path: "etc/", type: TYPE.directory },
          { path: "etc/motd", content: "hello" },
          { path: "etc/hosts", content: "localhost" },
          { path: "gone/", type: TYPE.directory },
          { path: "gone/old", content: "old" },
        ]);
        await driver.create("child", "base");
        await apply(driver, "child", "base", [
          { path: "etc/", type: TYPE.directory },
          { path: "etc/.wh.motd" },
          { path: "gone/", type: TYPE.directory },
          { path: "gone/.wh..wh..opq" },
          { path: "gone/new", content: "newer" },
        ]);
      }

      describe("stacks", () => {
        beforeEach(stack);

        test("show what the child deleted as gone, and as still there in the parent", async () => {
          const child = await driver.get("child");
          expect(readdirSync(join(child, "etc"))).toEqual(["hosts"]);
          expect(readdirSync(join(child, "gone"))).toEqual(["new"]);
          await driver.put("child");
          const base = await driver.get("base");
          expect(readdirSync(join(base, "etc")).sort()).toEqual(["hosts", "motd"]);
          await driver.put("base");
        });

        test("stay in sight until each get has had its put", async () => {
          const path = await driver.get("child");
          expect(await driver.get("child")).toBe(path);
          await driver.put("child");
          expect(existsSync(join(path, "etc/hosts"))).toBe(true);
          await driver.put("child");
        });

        test("are looked at whole without being mounted for others, also while somebody works in them", async () => {
          await driver.createReadWrite("rw", "child");
          const path = await driver.get("rw");
          writeFileSync(join(path, "etc", "added"), "");
          for (const [id, names] of [
            ["child", ["hosts"]],
            ["rw", ["added", "hosts"]],
          ] as const) {
            const view = await driver.view(id);
            expect(readdirSync(join(view.path, "etc")).sort()).toEqual(names);
            expect(existsSync(join(driver.home, "child", "merged"))).toBe(false);
            view.close();
          }
          await driver.put("rw");
          await expect(driver.view("none")).rejects.toMatchObject({ code: "not-found" });
        });

        test("are compared with their parent, or with nothing", async () => {
          expect(await changesOf("child", "base")).toEqual(
            ["C /etc", "D /etc/motd", "A /gone/new", "C /gone", "D /gone/old"].sort(),
          );
          expect(await changesOf("base")).toEqual(
            ["A /etc", "A /etc/motd", "A /etc/hosts", "A /gone", "A /gone/old"].sort(),
          );
          expect(await driver.diffSize("child", "base")).toBe(5);
          expect(await driver.diffSize("base")).toBe("hello".length + "localhost".length + "old".length);
        });

        test("have a writable top that changes nothing below", async () => {
          await driver.createReadWrite("rw-init", "child");
          const init = await driver.get("rw-init");
          writeFileSync(join(init, ".dockerenv"), "");
          await driver.put("rw-init");

          await driver.createReadWrite("rw", "rw-init");
          expect(await changesOf("rw", "rw-init")).toEqual([]);
          const path = await driver.get("rw");
          expect(readdirSync(path).sort()).toEqual([".dockerenv", "etc", "gone"]);
          writeFileSync(join(path, "etc", "added"), "1234567");
          rmSync(join(path, "etc", "hosts"));
          rmSync(join(path, "gone"), { recursive: true });
          mkdirSync(join(path, "gone"));
          await driver.put("rw");

          expect(await changesOf("rw", "rw-init")).toEqual(
            ["C /etc", "A /etc/added", "D /etc/hosts", "C /gone", "D /gone/new"].sort(),
          );
          expect(await driver.diffSize("rw", "rw-init")).toBe(7);
          expect(await changesOf("child", "base")).toHaveLength(5);
        });

        test("give a tar of a top's changes that makes the same file system elsewhere", async () => {
          await driver.createReadWrite("rw", "child");
          const path = await driver.get("rw");
          writeFileSync(join(path, "etc", "added"), "1234567");
          rmSync(join(path, "etc", "hosts"));
          rmSync(join(path, "gone"), { recursive: true });
          mkdirSync(join(path, "gone"));
          await driver.put("rw");

          await driver.create("copy", "child");
          await applyTar(driver, "copy", "child", await driver.diff("rw", "child"));
          expect(await view("copy")).toEqual(await view("rw"));
        });

        test("give a tar of everything when there is no parent to compare with", async () => {
          await driver.create("copy");
          await applyTar(driver, "copy", undefined, await driver.diff("base"));
          expect(await view("copy")).toEqual(await view("base"));
        });

        test("compare with an ancestor that is not the parent as well", async () => {
          await driver.create("top", "child");
          await apply(driver, "top", "child", [{ path: "top", content: "t" }]);
          expect(await changesOf("top", "base")).toContain("D /etc/motd");
          await driver.create("copy", "base");
          await applyTar(driver, "copy", "base", await driver.diff("top", "base"));
          expect(await view("copy")).toEqual(await view("top"));
        });

        test("are not compared with what is not there", async () => {
          for (const [parent, code] of [
            ["missing", "not-found"],
            ["..", "invalid-argument"],
          ] as const)
            for (const call of [
              driver.diff("child", parent),
              driver.changes("child", parent),
              driver.diffSize("child", parent),
            ])
              await refuses(call, code, parent);
        });

        test("are removed from the top, and leave nothing", async () => {
          await driver.createReadWrite("rw", "child");
          for (const id of ["rw", "child", "base"]) await driver.remove(id);
          expect(driver.ids()).toEqual([]);
        });
      });

      async function changesOf(id: string, parent?: string): Promise<string[]> {
        const letters = { modified: "C", added: "A", deleted: "D" } as const;
        const changes = await driver.changes(id, parent);
        return changes.map(({ kind, path }) => `${letters[kind]} ${toText(path)}`).sort();
      }

      /** All of a tree but the root itself, which not every driver takes over, and times, which differ from place to place. */
      async function view(id: string): Promise<unknown> {
        const path = await driver.get(id);
        try {
          return listTree(path)
            .filter((record) => record.path !== ".")
            .map(({ mtime, ...record }) => record);
        } finally {
          await driver.put(id);
        }
      }
    }
  });
}

function snapshot(root: string): unknown {
  return listTree(root).map(({ mtime, ...record }) => record);
}

async function refuses(result: Promise<unknown>, code: Parameters<typeof isVarveError>[1], what = ""): Promise<void> {
  const error = await result.then(
    () => `${what} did not fail`,
    (reason) => reason,
  );
  expect(isVarveError(error, code), `${what}: ${error}`).toBe(true);
}
