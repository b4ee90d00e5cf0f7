/** `docker images`: which rows an image has, and what its columns show. */

import { timeAgo } from "../../engine/human-duration.ts";
import { humanSize, shortSize } from "../../engine/human-size.ts";
import type { ImageSummary } from "../../engine/images.ts";
import { goTime, unixSeconds } from "./clock.ts";
import type { Columns } from "./rows.ts";
import type { Value } from "./template/value.ts";
import { shortId } from "./text.ts";

export const IMAGE_COLUMNS: Columns = {
  name: "image",
  headers: {
    ID: "IMAGE ID",
    Repository: "REPOSITORY",
    Tag: "TAG",
    Digest: "DIGEST",
    CreatedSince: "CREATED",
    CreatedAt: "CREATED AT",
    Size: "SIZE",
    Containers: "CONTAINERS",
    VirtualSize: "SIZE",
    SharedSize: "SHARED SIZE",
    UniqueSize: "UNIQUE SIZE",
  },
};

export interface ImageTableOptions {
  readonly format?: string | undefined;
  readonly quiet?: boolean | undefined;
  readonly digests?: boolean | undefined;
}

/** The format that the flags ask for. */
export function imageFormat({ format = "table", quiet, digests }: ImageTableOptions): string {
  const digest = digests ? "\t{{.Digest}}" : "";
  if (format === "table")
    return quiet
      ? "{{.ID}}"
      : `table {{.Repository}}\t{{.Tag}}${digest}\t{{.ID}}\t{{if .CreatedSince}}{{.CreatedSince}}{{else}}N/A{{end}}\t{{.Size}}`;
  if (format === "raw") return quiet ? "image_id: {{.ID}}" : rawFormat(digests);
  return format.startsWith("table") && digests && !format.includes("{{.Digest}}") ? `${format}\t{{.Digest}}` : format;
}

export interface ImageRowOptions {
  /** Cut ids to twelve characters. */
  readonly truncates: boolean;
  /** A row for each digest. */
  readonly digests: "all" | "of tags" | "none";
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** A format that asks for digests gets them, but only `--digests` those of names without a tag. */
export function shownDigests({ format, digests }: ImageTableOptions): ImageRowOptions["digests"] {
  if (digests) return "all";
  return format?.includes("{{.Digest}}") ? "of tags" : "none";
}

/** What the table wants to know of an image, of today or of a v1 graph, where sizes may be unknown. */
export type ShownImage = Pick<ImageSummary, "tags" | "digests" | "created"> & {
  readonly id: string;
  readonly size: number | undefined;
  readonly virtualSize?: number | undefined;
};

/** One row for each name of each image; an image without a name has one with `<none>`. */
export function imageRows(images: readonly ShownImage[], options: ImageRowOptions): Record<string, Value>[] {
  return images.flatMap((image) => {
    const shared = imageFields(image, options);
    return namesOf(image, options.digests).map((name) => ({ ...shared, ...name }));
  });
}

function rawFormat(digests: boolean | undefined): string {
  return `repository: {{.Repository}}\ntag: {{.Tag}}\n${digests ? "digest: {{.Digest}}\n" : ""}image_id: {{.ID}}
created_at: {{.CreatedAt}}\nvirtual_size: {{.Size}}\n`;
}

function imageFields(image: ShownImage, { truncates, now }: ImageRowOptions): Record<string, Value> {
  const created = unixSeconds(image.created);
  // Of an image of a v1 graph `size` is that of its own layer alone.
  const size = "virtualSize" in image ? image.virtualSize : image.size;
  return {
    ID: truncates ? shortId(image.id) : image.id,
    CreatedSince: created === NEVER ? "" : timeAgo(created, now),
    CreatedAt: goTime(created),
    Size: size === undefined ? "N/A" : shortSize(size),
    Containers: "N/A",
    VirtualSize: size === undefined ? "N/A" : humanSize(size),
    SharedSize: "N/A",
    UniqueSize: "N/A",
  };
}

/** The zero time of Go, which stands for "not known". */
const NEVER = -62_135_596_800;

interface ImageName extends Record<string, Value> {
  readonly Repository: string;
  readonly Tag: string;
  readonly Digest: string;
}

/** Tags first, each with the digests of its repository where those are asked for; then what has only digests. */
function namesOf({ tags, digests }: ShownImage, shown: ImageRowOptions["digests"]): ImageName[] {
  const names: ImageName[] = [];
  const byRepository = groupDigests(digests);
  const tagged = new Set<string>();
  for (const reference of tags) {
    const [Repository, Tag] = cutAt(reference, reference.lastIndexOf(":"));
    const own = (shown !== "none" && byRepository.get(Repository)) || [NONE];
    names.push(...own.map((Digest) => ({ Repository, Tag, Digest })));
    tagged.add(Repository);
  }
  for (const [Repository, own] of byRepository) {
    if (tagged.has(Repository)) continue;
    names.push(...(shown === "all" ? own : [""]).map((Digest) => ({ Repository, Tag: NONE, Digest })));
  }
  return names.length === 0 ? [{ Repository: NONE, Tag: NONE, Digest: NONE }] : names;
}

const NONE = "<none>";

function groupDigests(references: readonly string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const reference of references) {
    const [repository, digest] = cutAt(reference, reference.indexOf("@"));
    groups.set(repository, [...(groups.get(repository) ?? []), digest]);
  }
  return groups;
}

function cutAt(text: string, at: number): [string, string] {
  return [text.slice(0, at), text.slice(at + 1)];
}
