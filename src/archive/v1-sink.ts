import { formatGo } from "../json/go-value.ts";
import { type ArchivePlan, fileTime, type OutputMember, type StreamedContent } from "./tar-output.ts";

/** An image of Docker 1.9 and before: a layer with a JSON. */
export interface V1ArchiveImage {
  /** 64 hex digits. */
  readonly id: string;
  /** With its `id`, and `parent` unless it is a base: whoever loads the archive knows the parent by that alone. */
  readonly json: Uint8Array;
  /** Seconds since the epoch. */
  readonly created: { readonly seconds: number };
  readonly layer: StreamedContent;
}

/** A name in `repositories`. */
export interface V1ArchiveTag {
  readonly repository: string;
  readonly tag: string;
  readonly id: string;
}

/**
 * The archive that Docker 1.9 and before made (FORMATS 10.7). Images that have no name are in it all the same; Docker
 * left `repositories` out when none had one, and later ones then fail at the end of a load, so it is always there.
 *
 * @param images with all their ancestors, each once
 */
export function planDocker19(images: readonly V1ArchiveImage[], tags: readonly V1ArchiveTag[]): ArchivePlan {
  const sorted = [...images].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { members: [...sorted.flatMap(membersOf), repositoriesOf(tags)], style: "typed" };
}

function membersOf({ id, json, created, layer }: V1ArchiveImage): OutputMember[] {
  const mtime = fileTime(created);
  return [
    { kind: "directory", name: `${id}/`, mtime },
    { kind: "file", name: `${id}/VERSION`, mtime, bytes: VERSION },
    { kind: "file", name: `${id}/json`, mtime, bytes: json },
    { kind: "stream", name: `${id}/layer.tar`, mtime, content: layer },
  ];
}

const VERSION: Buffer = Buffer.from("1.0");

function repositoriesOf(tags: readonly V1ArchiveTag[]): OutputMember {
  const repositories = new Map<string, Map<string, string>>();
  for (const { repository, tag, id } of tags)
    repositories.set(repository, (repositories.get(repository) ?? new Map()).set(tag, id));
  const bytes = Buffer.concat([formatGo(repositories), Buffer.from("\n")]);
  return { kind: "file", name: "repositories", mtime: 0, bytes };
}
