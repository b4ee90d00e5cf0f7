import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { hasTool, lacking } from "../tools/dockerd.ts";
import { makePair, OTHER_TAR } from "./fixture.ts";

const SCRIPT = fileURLToPath(new URL("docker_py.py", import.meta.url));
const run = promisify(execFile);
const lack = lacking("root", "dockerd", "docker", "python3") ?? (await withoutLibrary());

test.skipIf(lack)(`docker-py sees the same of Varve's daemon and of dockerd${lack ?? ""}`, async () => {
  await using pair = await makePair();
  const tar = join(pair.archivePath, "../other.tar");
  writeFileSync(tar, OTHER_TAR);
  const told = async (who: "dockerd" | "varve"): Promise<unknown[]> => {
    const { stdout } = await run("python3", [SCRIPT, pair[who].socket, pair.archivePath, tar], { maxBuffer: 1 << 26 });
    return stdout.replaceAll("20.10.24+dfsg1", "20.10.24").replace(NEW, '$1"<new>"').trimEnd().split("\n");
  };
  const [theirs, ours] = [await told("dockerd"), await told("varve")];
  expect(theirs.length).toBeGreaterThan(25);
  expect(ours).toEqual(theirs);
});

/** The id of what was imported carries its time. */
const NEW = /(\["remove imported".*?"Deleted": )"[^"]*"/;

/** @returns why the test is skipped, as `lacking` does */
async function withoutLibrary(): Promise<string | undefined> {
  if (!hasTool("python3")) return undefined;
  const isThere = await run("python3", ["-c", "import docker"]).then(
    () => true,
    () => false,
  );
  if (isThere) return undefined;
  if (process.env.VARVE_NO_SKIP) throw new Error("this machine has no python3-docker");
  return " (skipped, this machine has no python3-docker)";
}
