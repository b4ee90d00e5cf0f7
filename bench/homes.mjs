// Where stores live while they are measured: each in an ext4 of its own, so that every run finds the same empty disk.
// In one file system a run would pay for what was deleted before it: where a large tree had been removed, making another
// took several times as long, and still did two minutes later.
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";

/** Sparse: only what is written takes room. */
const DISK_BYTES = 32 * 2 ** 30;

export class Homes {
  #dir;
  #next = 0;
  #mounted = /** @type {Set<string>} */ (new Set());

  /** @param {string} dir the work directory */
  constructor(dir) {
    this.#dir = join(dir, `runs-${process.pid}`);
  }

  /** A new and empty directory. @param {string} label */
  make(label) {
    const home = join(this.#dir, `${this.#next++}-${label}`);
    const disk = `${home}.ext4`;
    mkdirSync(home, { recursive: true });
    const file = openSync(disk, "wx");
    ftruncateSync(file, DISK_BYTES);
    closeSync(file);
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-J", "size=256", "-E", "lazy_itable_init=1,lazy_journal_init=1", disk);
    const device = run("losetup", "--find", "--show", "--direct-io=on", disk).trim();
    run("mount", "-o", "noinit_itable", device, home);
    run("losetup", "--detach", device); // takes effect when it is unmounted
    rmSync(disk); // and so does this
    this.#mounted.add(home);
    return home;
  }

  /** A new and empty directory without a disk, for what has to show work and no waiting. @param {string} label */
  makeInMemory(label) {
    const home = join(this.#dir, `${this.#next++}-${label}`);
    mkdirSync(home, { recursive: true });
    run("mount", "-t", "tmpfs", "-o", "size=4g,mode=755", "tmpfs", home);
    this.#mounted.add(home);
    return home;
  }

  /** @param {string} home */
  discard(home) {
    run("umount", "--recursive", home); // podman leaves mounts of its own in it
    rmSync(home, { recursive: true });
    this.#mounted.delete(home);
  }

  /** Discards everything, for good. */
  close() {
    for (const home of this.#mounted) run("umount", "--recursive", "--lazy", home);
    this.#mounted.clear();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** @param {string} command @param {string[]} args */
function run(command, ...args) {
  return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
}
