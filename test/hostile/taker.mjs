/**
 * Takes archives in, and gives them out again, for a test that asks line by line: what the command does, without the start of
 * a process for each. Run as whatever user the root belongs to.
 *
 * Arguments: the built package's directory, the root, the driver. A question is `{ archive, saved }`: load the first, save
 * what came to the second, remove it again. The answer is `{ loaded, error, late }`: the images' ids, or the line that a
 * user sees, and whether that came only after the load.
 */
import { createWriteStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pipeline } from "node:stream/promises";
import { pathToFileURL } from "node:url";

const [dist, root, driver] = process.argv.slice(2);
const { openStore } = await import(pathToFileURL(join(dist, "index.js")));
const { nameInput } = await import(pathToFileURL(join(dist, "cli/input.js")));
const { reportFailure } = await import(pathToFileURL(join(dist, "cli/report.js")));

async function take({ archive, saved }) {
  let loaded;
  try {
    const store = await openStore({ root, driver, durability: "none" });
    try {
      loaded = (await nameInput(archive, () => store.load(archive))).map(({ id }) => id);
      if (loaded.length > 0) await pipeline(store.save(loaded), createWriteStream(saved));
      for (const id of new Set(loaded)) await store.remove(id, { force: true });
    } finally {
      await store.close();
    }
    return { loaded };
  } catch (error) {
    return { loaded, error: reportFailure(error).lines.join("\n"), late: loaded !== undefined };
  }
}

for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await take(JSON.parse(line)))}\n`);
