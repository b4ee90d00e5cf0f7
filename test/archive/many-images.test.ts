import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openStore } from "../../src/index.ts";
import { sourceOf } from "../../src/io/byte-source.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { said, varvePath } from "../tools/varve.ts";

/** Node opens some thirty files for itself. */
const DESCRIPTORS = 80;
const IMAGES = 100;

test("an archive may have more images than a process may have descriptors", async () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-many-"));
  try {
    const archive = join(scratch, "many.tar");
    const names = Array.from({ length: IMAGES }, (_, i) => `many:${i}`);
    {
      await using store = await openStore({ root: join(scratch, "from"), driver: "rootless", durability: "none" });
      for (const name of names) await store.import(sourceOf(tarOf([{ name, content: name }])), { reference: name });
    }
    const from = ["--root", join(scratch, "from"), "--driver", "rootless"];
    await said([...from, "save", "-o", archive, "many"]);
    const to = ["--root", join(scratch, "to"), "--driver", "rootless"];
    const load = [process.execPath, varvePath(), ...to, "load", "-q", "-i", archive].join(" ");
    const { status, stderr } = spawnSync("bash", ["-c", `ulimit -n ${DESCRIPTORS}; exec ${load}`], {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect((await said([...to, "images", "-q"])).trim().split("\n")).toHaveLength(IMAGES);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});
