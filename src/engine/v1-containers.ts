import { join } from "node:path";
import { shortID } from "../digest/random-id.ts";
import { isVarveError, VarveError } from "../errors.ts";
import { directoriesIn } from "../io/directory.ts";
import { readWholeFile } from "../io/whole-file.ts";
import { field, type GoStructType, goString, goStruct } from "../json/go-type.ts";
import type { V1Root } from "./v1-root.ts";

/** One container of Docker 1.9. */
export interface V1ContainerSummary {
  readonly id: string;
  /** Without Docker's slash; empty where its record cannot be read. */
  readonly name: string;
  /** The v1 id of its image, or what a migration made of that. */
  readonly image: string;
  /** `aufs` where the record has none. */
  readonly driver: string;
}

/** By their ids. What cannot be read is told. */
export function listV1Containers(root: V1Root): V1ContainerSummary[] {
  return idsOf(root).map((id) => summaryOf(id, root));
}

/**
 * A container of Docker 1.9 by its full id, its name, or the beginning of its id, in this order, as Docker looks.
 *
 * @returns its id, which is also its tree's
 * @throws VarveError `not-found`, also for one whose tree another driver has; `ambiguous`
 */
export function findV1Container(name: string, root: V1Root): string {
  const { driver } = root;
  const ids = idsOf(root);
  const id = ids.includes(name) ? name : idOf(name, ids, root);
  if (driver.exists(id)) return id;
  const other = summaryOf(id, root).driver;
  const hint = other === driver.name ? "" : ` (it is of the driver ${other})`;
  const message = `container ${shortID(id)}: the driver ${driver.name} has no tree of it${hint}`;
  throw new VarveError("not-found", message, { container: id });
}

function idOf(name: string, ids: readonly string[], root: V1Root): string {
  const containers = ids.map((id) => summaryOf(id, root));
  const named = containers.find((container) => container.name === name.replace(/^\//, ""));
  const found =
    named !== undefined ? [named.id] : /^[0-9a-f]+$/.test(name) ? ids.filter((id) => id.startsWith(name)) : [];
  if (found.length > 1) throw new VarveError("ambiguous", `Multiple IDs found with provided prefix: ${name}`, { name });
  if (found[0] === undefined)
    throw new VarveError("not-found", `No such container: ${name}`, {
      name,
      containers: containers.map((container) => container.name || shortID(container.id)),
    });
  return found[0];
}

function idsOf({ path }: V1Root): string[] {
  return directoriesIn(join(path, "containers")).sort();
}

interface V1ContainerRecord {
  readonly name: string;
  readonly image: string;
  readonly driver: string;
}

const recordType: GoStructType<V1ContainerRecord> = goStruct<V1ContainerRecord>("Container", {
  name: field("Name", goString),
  image: field("Image", goString),
  driver: field("Driver", goString),
});

/** Docker 1.10 and later have another file beside that of 1.9, which says the same. */
function summaryOf(id: string, { path, warn }: V1Root): V1ContainerSummary {
  let record = recordType.zero;
  for (const file of ["config.v2.json", "config.json"]) {
    try {
      const bytes = readWholeFile(join(path, "containers", id, file), MAX_RECORD);
      if (bytes === undefined) continue;
      record = recordType.parse(bytes);
      break;
    } catch (error) {
      if (!isVarveError(error)) throw error;
      warn(`container ${id}: ${file}: ${error.message}`);
    }
  }
  const { name, image, driver } = record;
  return { id, name: name.replace(/^\//, ""), image, driver: driver || "aufs" };
}

const MAX_RECORD = 16 << 20;
