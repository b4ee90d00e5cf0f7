import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { varve, varvePath } from "../tools/varve.ts";

const ARCHIVE = new URL("../../examples/quickstart.tar", import.meta.url).pathname;

let directory = "";
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "varve-completion-"));
  const loaded = await varve(["--root", join(directory, "root"), "load", "-q", "-i", ARCHIVE]);
  expect(loaded).toMatchObject({ status: 0 });
  writeFileSync(join(directory, "file.tar"), "");
  mkdirSync(join(directory, "bin"));
  writeFileSync(join(directory, "bin/varve"), `#!/bin/sh\nexec '${process.execPath}' '${varvePath()}' "$@"\n`, {
    mode: 0o755,
  });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function candidates(...words: string[]): Promise<string[]> {
  const environment = { VARVE_ROOT: join(directory, "root") };
  const { status, output, error } = await varve(["__complete", ...words], { environment });
  expect({ status, error }).toEqual({ status: 0, error: "" });
  return output
    .toString()
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("\t")[0]!);
}

describe("the end of a command line", () => {
  test.each([
    [["im"], ["import", "images", "image"]],
    [["image", "pr"], ["prune"]],
    [["--root", "/nowhere", "ver"], ["version"]],
    [
      ["images", "--d"],
      ["--digests", "--driver", "--durability"],
    ],
    [
      ["save", "--format", ""],
      ["docker", "docker-25", "oci", "docker-1.9"],
    ],
    [["--driver", "v"], ["vfs"]],
    [["images", "--v"], ["--v1"]],
    [
      ["rmi", "varve/quickstart:"],
      ["varve/quickstart:1", "varve/quickstart:latest"],
    ],
    [
      ["history", "-q", ""],
      ["varve/quickstart:1", "varve/quickstart:latest"],
    ],
    [["history", "varve/quickstart:1", ""], []],
    [["history", "--root", "/nowhere", ""], []],
    [["load", "-i", ""], [":files"]],
    [
      ["completion", ""],
      ["bash", "zsh", "fish"],
    ],
    [["nonsense", ""], []],
    [[], ["load"]],
  ])("%j is completed", async (words, expected) => {
    const found = await candidates(...words);
    if (words.length === 0) expect(found).toContain("load");
    else expect(found).toEqual(expected);
  });
});

const lack = lacking("bash");
describe.skipIf(lack)(`bash${lack ?? ""}`, () => {
  /** What bash would offer for a line, and with that what it would put there. */
  function complete(line: string): string[] {
    const script = `source <(varve completion bash)
compopt() { :; }
COMP_LINE=$1 COMP_POINT=\${#1}
_varve
printf '%s\\n' "\${COMPREPLY[@]}"`;
    const path = `${join(directory, "bin")}:${join(process.execPath, "..")}:${process.env.PATH}`;
    const options = {
      cwd: directory,
      encoding: "utf8",
      env: { PATH: path, VARVE_ROOT: join(directory, "root") },
    } as const;
    return execFileSync("bash", ["--norc", "-c", script, "bash", line], options).split("\n").filter(Boolean).sort();
  }

  test("completes commands, options and images", () => {
    expect(complete("varve hist")).toEqual(["history"]);
    expect(complete("varve image ")).toContain("prune");
    expect(complete("varve history --no-t")).toEqual(["--no-trunc"]);
    expect(complete("varve history varve/q")).toEqual(["varve/quickstart:1", "varve/quickstart:latest"]);
  });

  test("completes what follows the colon of an image", () => {
    expect(complete("varve history varve/quickstart:l")).toEqual(["latest"]);
  });

  test("completes files where files are meant", () => {
    expect(complete("varve load -i fi")).toEqual(["file.tar"]);
    expect(complete("varve import fi")).toEqual(["file.tar"]);
  });
});

describe.each([
  ["zsh", "-n"],
  ["fish", "--no-execute"],
])("the script for %s", (shell, check) => {
  const missing = lacking(shell);
  test.skipIf(missing)(`parses${missing ?? ""}`, async () => {
    const { output } = await varve(["completion", shell]);
    // A pipe of Node's is a socket, which fish does not read.
    const script = join(directory, `script.${shell}`);
    writeFileSync(script, output);
    execFileSync(shell, [check, script]);
  });
});
