// The machine that figures were taken on.
import { execFileSync } from "node:child_process";
import { cpus, release, totalmem } from "node:os";

/** @param {string} dir whose file system counts */
export function describeMachine(dir) {
  const date = new Date().toISOString().slice(0, 10);
  const model = cpus()[0]?.model.trim() ?? "unknown";
  const memory = Math.round(totalmem() / 2 ** 30);
  const fileSystem = execFileSync("findmnt", ["-n", "-o", "FSTYPE", "-T", dir], { encoding: "utf8" }).trim();
  const text =
    `Taken on ${date} on ${cpus().length} cores of ${model}, ${memory} GiB, Linux ${release()}, ` +
    `each run on a fresh ext4 over a file in ${fileSystem}.`;
  return { date, model, cores: cpus().length, memory, kernel: release(), fileSystem, text };
}
