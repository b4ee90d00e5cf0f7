/** One data-root, made by a real dockerd, twice: for that dockerd and for Varve. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { type Dockerd, start } from "../tools/dockerd.ts";
import { startDaemon, type VarveDaemon } from "../tools/varve-daemon.ts";

export interface Pair extends AsyncDisposable {
  readonly dockerd: Dockerd;
  readonly varve: VarveDaemon;
  readonly roots: { readonly dockerd: string; readonly varve: string };
  /** An archive of `base:1` and `kid:1`, as dockerd saves it. */
  readonly archive: Buffer;
  readonly archivePath: string;
  /** An archive of `fresh:1`, which none of them has. */
  readonly fresh: Buffer;
}

export const BASE_TAR: Buffer = tarOf([
  { name: "etc/" },
  { name: "etc/motd", content: "hello\n" },
  { name: "big", content: "x".repeat(70_000) },
]);
export const OTHER_TAR: Buffer = tarOf([{ name: "other", content: "o".repeat(300) }]);
const FRESH_TAR = tarOf([{ name: "fresh", content: "f".repeat(3_000_000) }]);

export async function makePair(): Promise<Pair> {
  const scratch = mkdtempSync(join(tmpdir(), "varve-pair-"));
  const roots = { dockerd: join(scratch, "dockerd"), varve: join(scratch, "varve") };
  const archivePath = join(scratch, "archive.tar");
  const { archive, fresh } = await fill(roots.dockerd, archivePath);
  execFileSync("cp", ["-a", roots.dockerd, roots.varve]);
  const dockerd = await start({ root: roots.dockerd });
  const varve = await startDaemon(roots.varve);
  return {
    ...{ dockerd, varve, roots, archive, archivePath, fresh },
    async [Symbol.asyncDispose]() {
      await varve.stop();
      await dockerd.stop();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}

async function fill(root: string, archive: string): Promise<Pick<Pair, "archive" | "fresh">> {
  await using dockerd = await start({ root });
  const { docker } = dockerd;
  const labels = ["-c", 'LABEL stage=prod who="a <b> & c"', "-c", 'CMD ["/bin/sh", "-c", "true"]'];
  await docker(["import", "-m", "first", ...labels, "-", "base:1"], { input: BASE_TAR });
  await docker(["import", "-", "other:2"], { input: OTHER_TAR });
  await docker(["tag", "base:1", "localhost:5000/a/b:c"]);
  await docker(["tag", "base:1", "base:latest"]);
  await docker(["build", "-t", "kid:1", "-"], { input: "FROM base:1\nLABEL kid=1\nENV A=b\nEXPOSE 80\n" });
  await docker(["import", "-c", "LABEL dangling=yes", "-"], { input: OTHER_TAR });
  await docker(["create", "--name", "web", "--label", "a=b", "other:2", "echo", "a b"]);
  await docker(["cp", "-", "web:/"], { input: BASE_TAR });
  await docker(["save", "-o", archive, "base:1", "kid:1"]);
  await docker(["import", "-", "fresh:1"], { input: FRESH_TAR });
  const fresh = await docker(["save", "fresh:1"]);
  await docker(["rmi", "fresh:1"]);
  return { archive: readFileSync(archive), fresh };
}
