import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { varvePath } from "../tools/varve.ts";

/**
 * A program of a test's own that imports Varve from `./dist/…` and can be run by Node as it is, for tests of what many
 * processes do, or of what a process does under observation.
 */
export class BuiltProgram implements Disposable {
  readonly path: string;
  readonly #directory: string;

  /** @param text the program, an ES module */
  constructor(text: string) {
    this.#directory = mkdtempSync(join(tmpdir(), "varve-program-"));
    this.path = join(this.#directory, "main.js");
    symlinkSync(resolve("node_modules"), join(this.#directory, "node_modules"));
    writeFileSync(join(this.#directory, "package.json"), '{ "type": "module" }');
    writeFileSync(this.path, text);
    symlinkSync(resolve(varvePath(), "../.."), join(this.#directory, "dist"));
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}
