// One operation through a library handle that is open and has done the like before; prints its seconds.
// Usage: node handle.mjs DIST OPERATION ROOT ARCHIVE REFERENCE
import { closeSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";

const [dist, operation, root, archive, reference] = process.argv.slice(2);
const { openStore } = await import(join(dist, "index.js"));
const store = await openStore({ root, driver: "overlay2", durability: "none" });

/** @type {Record<string, () => unknown>} */
const operations = {
  load: () => store.load(archive),
  save: async () => {
    const file = openSync("/dev/null", "w");
    for await (const chunk of store.save([reference])) writeSync(file, chunk);
    closeSync(file);
  },
  images: () => store.images(),
  inspect: () => store.inspect(reference),
};

if (operation === "load") await store.images();
else await operations[operation]();
const began = performance.now();
await operations[operation]();
console.log((performance.now() - began) / 1000);
await store.close();
