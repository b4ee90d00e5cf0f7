import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";

/** The project as a process of its own can run it, for tests that need more than one process. Lies where koffi is found. */
export class Compiled implements Disposable {
  readonly path: string;

  constructor() {
    const project = join(import.meta.dirname, "../..");
    const parent = join(project, "node_modules/.varve-test");
    mkdirSync(parent, { recursive: true });
    this.path = mkdtempSync(join(parent, "compiled-"));
    const tsc = join(project, "node_modules/.bin/tsc");
    const { stdout } = spawnSync(tsc, ["-p", "tsconfig.build.json", "--outDir", this.path, "--sourceMap", "false"], {
      cwd: project,
      encoding: "utf8",
    });
    if (!existsSync(join(this.path, "layer/store.js"))) throw new Error(`tsc made nothing:\n${stdout}`);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
