import { randomBytes } from "node:crypto";

/**
 * A new cache-id, mount-id or container id (FORMATS 1.5): 64 lower-case hex characters, whose first twelve are never
 * all decimal, since a short id would then pass for a number.
 */
export function randomID(): string {
  for (;;) {
    const id = randomBytes(32).toString("hex");
    if (!/^[0-9]{12}/.test(id)) return id;
  }
}

/** What users see of an id: what follows the algorithm, cut to twelve characters. */
export function shortID(id: string): string {
  return id.slice(id.indexOf(":") + 1).slice(0, 12);
}
