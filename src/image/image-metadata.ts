import { isDigest } from "../digest/digest.ts";
import { VarveError } from "../errors.ts";
import { formatTime, type GoTime, parseTime, timeOf } from "../json/go-time.ts";
import type { ImageBackend } from "./backend.ts";
import type { ImageID } from "./image.ts";

/** The values that dockerd keeps beside an image (FORMATS 3.2). */
export class ImageMetadata {
  readonly #backend: ImageBackend;

  constructor(backend: ImageBackend) {
    this.#backend = backend;
  }

  /** The recorded parent, whether it exists or not; what is no image ID counts for none. */
  parent(id: ImageID): ImageID | undefined {
    const text = this.#backend.metadata(id, PARENT)?.toString() ?? "";
    return isDigest(text) ? text : undefined;
  }

  setParent(id: ImageID, parent: ImageID): void {
    this.#backend.setMetadata(id, PARENT, Buffer.from(parent));
  }

  clearParent(id: ImageID): void {
    this.#backend.deleteMetadata(id, PARENT);
  }

  /** @throws VarveError `corrupt` when it is no time */
  lastUpdated(id: ImageID): GoTime | undefined {
    const text = this.#backend.metadata(id, LAST_UPDATED)?.toString() ?? "";
    if (text === "") return undefined;
    try {
      return parseTime(text);
    } catch (error) {
      throw new VarveError("corrupt", `image ${id} has no time in lastUpdated: ${text}`, { id, text }, error);
    }
  }

  /** In this process's zone, as dockerd does. */
  setLastUpdated(id: ImageID, date: Date): void {
    this.#backend.setMetadata(id, LAST_UPDATED, Buffer.from(formatTime(timeOf(date, "local"))));
  }
}

const PARENT = "parent";
const LAST_UPDATED = "lastUpdated";
