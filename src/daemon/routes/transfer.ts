import type { LoadEvent } from "../../archive/load.ts";
import { isVarveError, VarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { canonicalString, parseNormalized, withTag } from "../../reference/reference.ts";
import { type Call, given, isSet } from "../call.ts";
import { MessageStream } from "../progress.ts";
import type { Route } from "../routes.ts";

/** Images in and out. */
export const TRANSFER_ROUTES: readonly Route[] = [
  { method: "GET", pattern: "/images/get", handle: (call) => save(call, call.query.getAll("names")) },
  { method: "GET", pattern: "/images/{name:.*}/get", handle: (call) => save(call, [call.parameters.name!]) },
  { method: "POST", pattern: "/images/load", handle: load },
  { method: "POST", pattern: "/images/create", handle: create },
];

async function save({ store, answer, signal }: Call, names: readonly string[]): Promise<void> {
  await store.saveTo(answer.stream("application/x-tar"), names, { signal });
  await answer.end();
}

/** Docker answers 200 before it looks at the archive; what goes wrong is a message. Who wants progress asks for it. */
async function load({ store, body, query, answer, signal }: Call): Promise<void> {
  const messages = new MessageStream(answer.stream("application/json"));
  const quiet = !query.has("quiet") || isSet(query, "quiet");
  const loaded: ImageID[] = [];
  let isLastNamed = true;
  const onEvent = (event: LoadEvent): void => {
    if (event.kind === "layer" && !quiet) messages.progress(event.label, "Loading layer", event.current, event.total);
    if (event.kind === "renamed") messages.text(renamed(event));
    if (event.kind !== "image") return;
    for (const reference of event.references) messages.text(`Loaded image: ${reference}\n`);
    loaded.push(event.id);
    isLastNamed = event.references.length > 0;
  };
  try {
    await store.load(body, { signal, onEvent });
    if (!isLastNamed) messages.text(loaded.map((id) => `Loaded image ID: ${id}\n`).join(""));
  } catch (error) {
    if (!isVarveError(error) || error.code === "cancelled") throw error;
    messages.failure(error);
  }
  await answer.end();
}

function renamed({ reference, previous }: LoadEvent & { readonly kind: "renamed" }): string {
  return `The image ${reference} already exists, renaming the old one with ID ${previous} to empty string\n`;
}

/** `docker import`; `docker pull` comes the same way, and needs a registry. */
async function create({ store, body, query, answer, signal }: Call): Promise<void> {
  if (given(query, "fromImage") !== undefined)
    throw new VarveError("unsupported", "varve does not speak to registries: load an archive or an OCI layout instead");
  const source = query.get("fromSrc") ?? "";
  if (source !== "-")
    throw new VarveError("unsupported", `varve fetches nothing: download ${source || "the file"}, then import it`);
  if (/^windows(\/|$)/i.test(query.get("platform") ?? ""))
    throw new VarveError("invalid-argument", "operating system is not supported");
  const repository = given(query, "repo");
  const id = await store.import(body, {
    reference: repository === undefined ? undefined : nameWithTag(repository, given(query, "tag")),
    message: given(query, "message"),
    changes: query.getAll("changes"),
    signal,
  });
  new MessageStream(answer.stream("application/json")).status(id);
  await answer.end();
}

/**
 * A repository and a tag that come apart. The tag replaces one that the repository's name has.
 *
 * @throws VarveError `invalid-reference` with Docker's texts
 */
export function nameWithTag(repository: string, tag: string | undefined): string {
  const reference = parseNormalized(repository);
  if (tag === undefined || reference.digest !== undefined) return canonicalString(reference);
  return canonicalString(withTag(reference, tag));
}
