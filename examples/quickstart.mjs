// The main job on a small real image, without root and without a daemon: load it, look at it, read a file out of it,
// save it again, and compare the two archives byte for byte.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const archive = join(import.meta.dirname, "quickstart.tar");
const command = join(import.meta.dirname, "..", "dist", "cli", "main.js");
const directory = mkdtempSync(join(tmpdir(), "varve-quickstart-"));
const saved = join(directory, "saved.tar");

try {
  console.log(`# a data-root of its own in ${directory}\n`);
  varve("load", "--input", archive);
  varve("images");
  varve("history", "varve/quickstart:1");
  varve("image", "inspect", "--format", "{{json .RootFS.Layers}}", "varve/quickstart:1");
  varve("ls", "varve/quickstart:1:/etc");
  varve("cat", "varve/quickstart:1:/etc/motd");
  varve("save", "--output", saved, "varve/quickstart:1", "varve/quickstart:latest");
  if (!readFileSync(saved).equals(readFileSync(archive))) throw new Error(`${saved} differs from ${archive}`);
  console.log(`# ${saved} and examples/quickstart.tar, which dockerd 20.10 saved, are the same bytes`);
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function varve(...args) {
  console.log(`$ varve ${args.join(" ")}`);
  const { status } = spawnSync(process.execPath, [command, ...args], {
    stdio: "inherit",
    env: { ...process.env, VARVE_ROOT: join(directory, "root") },
  });
  if (status !== 0) throw new Error(`varve ${args[0]} ended with status ${status}`);
  console.log();
}
