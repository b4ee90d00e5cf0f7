// The Nodes that Varve is measured on.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";

const MAJORS = ["20", "24"];

/** Programs of Node 20 and 24: the running one where it is that, others from npm into the work directory. @param {string} dir */
export function findNodes(dir) {
  return MAJORS.map((major) => {
    if (process.versions.node.startsWith(`${major}.`)) return process.execPath;
    const name = `node-linux-${process.arch}`;
    const prefix = join(dir, `node-${major}`);
    const program = join(prefix, "node_modules", name, "bin/node");
    if (!existsSync(program)) {
      const flags = ["--no-audit", "--no-fund", "--silent"];
      execFileSync("npm", ["install", ...flags, "--prefix", prefix, `${name}@${major}`], {
        stdio: ["ignore", "ignore", "inherit"],
      });
    }
    return program;
  });
}
