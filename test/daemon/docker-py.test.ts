import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { makePair, OTHER_TAR } from "./fixture.ts";

const SCRIPT = fileURLToPath(new URL("docker_py.py", import.meta.url));
const run = promisify(execFile);
const python = await pythonWithLibrary();
const lack = lacking("root", "dockerd", "docker") ?? withoutLibrary();

test.skipIf(lack)(`docker-py sees the same of Varve's daemon and of dockerd${lack ?? ""}`, async () => {
  await using pair = await makePair();
  const tar = join(pair.archivePath, "../other.tar");
  writeFileSync(tar, OTHER_TAR);
  const told = async (who: "dockerd" | "varve"): Promise<unknown[]> => {
    const { stdout } = await run(python!, [SCRIPT, pair[who].socket, pair.archivePath, tar], { maxBuffer: 1 << 26 });
    const plain = stdout
      .replaceAll("20.10.24+dfsg1", "20.10.24")
      .replace(NEW, '$1"<new>"')
      .replace(OF_CONTAINER, "<id>");
    return plain.trimEnd().split("\n");
  };
  const [theirs, ours] = [await told("dockerd"), await told("varve")];
  expect(theirs.length).toBeGreaterThan(45);
  expect(ours).toEqual(theirs);
});

/** The id of what was imported carries its time. */
const NEW = /(\["remove imported".*?"Deleted": )"[^"]*"/;

/** So does the id of a container. */
const OF_CONTAINER = /(?<=container (?:\\")?)[0-9a-f]{64}/g;

/** Debian's own, whose library comes with the package `python3-docker`, or another one that has it. */
async function pythonWithLibrary(): Promise<string | undefined> {
  for (const program of ["/usr/bin/python3", "python3"]) {
    const hasIt = await run(program, ["-c", "import docker"]).then(
      () => true,
      () => false,
    );
    if (hasIt) return program;
  }
  return undefined;
}

/** @returns why the test is skipped, as `lacking` does */
function withoutLibrary(): string | undefined {
  if (python !== undefined) return undefined;
  if (process.env.VARVE_NO_SKIP) throw new Error("this machine has no python3-docker");
  return " (skipped, this machine has no python3-docker)";
}
