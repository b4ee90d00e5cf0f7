import { readFileSync } from "node:fs";

/** Whether this process acts as root: of the machine, or of the user namespace that it lives in. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}

/** Whether ids here are not those of the machine, so that devices cannot be made, nor `trusted.` attributes set. */
export function inUserNamespace(): boolean {
  inside ??= !ALL_IDS.test(readFileSync("/proc/self/uid_map", "latin1"));
  return inside;
}

let inside: boolean | undefined;

/** Every id stands for itself. */
const ALL_IDS = /^\s*0\s+0\s+4294967295\s*$/;
