import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { probeOverlay } from "../../src/driver/overlay2/kernel.ts";
import { lacking } from "../tools/dockerd.ts";

/** Why a test with overlay mounts cannot run here, as a tail for its name (see `lacking`). */
export function lackingOverlay(...tools: string[]): string | undefined {
  const lack = lacking("root", ...tools);
  if (lack !== undefined) return lack;
  const probe = probeOverlay(tmpdir());
  return probe.kind === "works" ? undefined : ` (skipped, no overlay mounts: ${probe.reason})`;
}

/** The same for a test with a file system in a file. */
export function lackingLoop(...tools: string[]): string | undefined {
  const lack = lacking("root", ...tools);
  if (lack !== undefined || existsSync("/dev/loop-control")) return lack;
  return " (skipped, no loop devices)";
}

/** The same for a test in which an ordinary user becomes root of a user namespace. */
export function lackingUserNamespace(): string | undefined {
  const lack = lackingOverlay("setpriv", "unshare");
  if (lack !== undefined) return lack;
  const user = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
  const { status } = spawnSync("setpriv", [...user, "unshare", "--user", "--map-root-user", "--mount", "true"]);
  return status === 0 ? undefined : " (skipped, no user namespaces for ordinary users)";
}
