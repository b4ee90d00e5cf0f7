// Makes a fresh clone ready: installs what package-lock.json names and builds dist/, each only when it is missing or
// older than what it comes from. Plain JavaScript, because it runs before TypeScript is there.
import { spawnSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

const project = join(import.meta.dirname, "..");
const INSTALLED = "node_modules/.package-lock.json";
const BUILT = "dist/.built";

if (modified(INSTALLED) < modified("package-lock.json")) run("npm", ["ci", "--no-audit", "--no-fund"]);
if (modified(BUILT) < Math.max(newestSource(), modified("package.json"), modified(INSTALLED))) {
  run("npm", ["run", "--silent", "build"]);
  run(process.execPath, ["-e", `require("node:fs").writeFileSync(${JSON.stringify(BUILT)}, "")`]);
}

function newestSource() {
  const files = readdirSync(join(project, "src"), { recursive: true, encoding: "utf8" });
  return Math.max(...files.map((file) => modified(join("src", file))));
}

function modified(path) {
  return statSync(join(project, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: project, stdio: "inherit" });
  if (status !== 0) {
    if (error !== undefined) console.error(`${command}: ${error.message}`);
    process.exit(status ?? 1);
  }
}
