// Opens a v1 graph through the library; prints its seconds and how many images it has.
// Usage: node graph.mjs DIST ROOT
import { join } from "node:path";

const [dist, root] = process.argv.slice(2);
const { openGraph } = await import(join(dist, "index.js"));

const began = performance.now();
const opened = await openGraph({ root, driver: "overlay2" });
console.log((performance.now() - began) / 1000, opened.graph.map().size);
opened[Symbol.dispose]();
