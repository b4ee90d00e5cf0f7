import type { AnyStore } from "../../engine/any-store.ts";
import type { FileEntry } from "../../engine/file-view.ts";
import { isVarveError } from "../../errors.ts";
import { isUtf8, toBytes, toText } from "../../sys/byte-string.ts";
import { type CliCommand, documentCommand } from "../command.ts";
import { addExamples, addJson } from "../options.ts";
import { type TargetPath, targetPaths } from "../target-path.ts";
import { longListing, shortListing } from "../ui/file-list.ts";

interface Options {
  readonly directory?: boolean;
  readonly long?: boolean;
}

interface Listing extends TargetPath {
  /** A directory's content, or the file itself. */
  readonly entries: readonly FileEntry[];
}

export const ls: CliCommand = documentCommand<Options, Listing[]>({
  declare(command) {
    command
      .usage("[OPTIONS] IMAGE|CONTAINER[:PATH] [PATH...]")
      .argument("<target>")
      .argument("[path...]")
      .option("-d, --directory", "Show directories themselves (default: what is in them)")
      .option("-l, --long", "Show type, mode, owner, size and time (default: names only)");
    addJson(command);
    addExamples(command, "varve ls nginx", "varve ls -l nginx:latest:/etc /etc/nginx", "varve ls --json web:/tmp");
  },

  async run({ args, options, session }) {
    const store = await session.store();
    const listings: Listing[] = [];
    for (const place of targetPaths(args, "/"))
      listings.push({ ...place, entries: await entriesOf(store, place, options.directory === true) });
    return listings;
  },

  text(listings, { options }) {
    const list = options.long ? longListing : shortListing;
    const blocks = listings.map(({ path, entries }) => {
      const title = listings.length > 1 ? `${path}:\n` : "";
      return Buffer.concat([Buffer.from(title), toBytes(list(entries))]);
    });
    return Buffer.concat(blocks.flatMap((block, at) => (at === 0 ? [block] : [Buffer.from("\n"), block])));
  },

  json: (listings) => listings.map(({ entries, ...place }) => ({ ...place, entries: entries.map(jsonEntry) })),
});

async function entriesOf(store: AnyStore, { target, path }: TargetPath, itself: boolean): Promise<FileEntry[]> {
  if (!itself)
    try {
      return await store.list(target, path);
    } catch (error) {
      if (!isVarveError(error, "invalid-argument")) throw error; // not a directory
    }
  return [await store.stat(target, path)];
}

function jsonEntry({ name, mode, mtime, linkTarget, xattrs, ...rest }: FileEntry): object {
  return {
    name: toText(name),
    ...(isUtf8(name) ? {} : { nameBase64: toBytes(name).toString("base64") }),
    ...rest,
    mode: mode.toString(8).padStart(4, "0"),
    mtime: new Date(mtime.seconds * 1000)
      .toISOString()
      .replace(/\.000Z$/, `.${String(mtime.nanoseconds).padStart(9, "0")}Z`),
    ...(linkTarget === undefined ? {} : { linkTarget: toText(linkTarget) }),
    xattrs: Object.fromEntries([...xattrs].map(([key, value]) => [key, toBytes(value).toString("base64")])),
  };
}
