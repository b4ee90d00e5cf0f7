import type { Driver } from "../driver/driver.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { fromText } from "../sys/byte-string.ts";
import { Disassembler, type EntrySink } from "../tar/disassemble.ts";
import { type Header, newHeader, TYPE } from "../tar/header.ts";

/** One entry of a layer, as short as a test wants to write it. */
export type Entry = Partial<Header> & { readonly path: string; readonly content?: string; readonly link?: string };

/** Feeds entries to a driver as one layer. */
export async function apply(driver: Driver, id: string, parent: string | undefined, entries: Entry[]): Promise<number> {
  const applier = await driver.applier(id, parent);
  try {
    for (const entry of entries) feed(applier.sink, entry);
    return await applier.finish();
  } catch (error) {
    await applier.abort();
    throw error;
  }
}

/** Feeds a tar to a driver as one layer. */
export async function applyTar(
  driver: Driver,
  id: string,
  parent: string | undefined,
  tar: ByteSource,
): Promise<number> {
  const applier = await driver.applier(id, parent);
  try {
    const disassembler = new Disassembler({ line: () => undefined, tree: applier.sink });
    for await (const chunk of tar) disassembler.write(chunk);
    disassembler.end();
    return await applier.finish();
  } catch (error) {
    await applier.abort();
    throw error;
  }
}

/** One entry to a sink. */
export function feed(sink: EntrySink, { path, content = "", link = "", ...fields }: Entry): void {
  const bytes = Buffer.from(content);
  sink.entry(
    newHeader({
      name: fromText(path),
      linkname: fromText(link),
      mode: fields.type === TYPE.directory ? 0o755 : 0o644,
      mtime: { seconds: 1_600_000_000, nanoseconds: 0 },
      size: bytes.length,
      ...fields,
    }),
  );
  if (bytes.length > 0) sink.data(bytes);
  sink.entryEnd();
}

/** A layer with whatever a layer may hold, names that climb and a link on the way among it. */
export function everyKind(): Entry[] {
  return [
    { path: "dir/", type: TYPE.directory, mode: 0o1777 },
    { path: "dir/file", content: "content", mode: 0o4755 },
    { path: "dir/forbidden", content: "secret", mode: 0, uid: 1000, gid: 1000 },
    { path: "dir/hard", type: TYPE.hardLink, link: "dir/file" },
    { path: "closed/", type: TYPE.directory, mode: 0 },
    { path: "closed/inside", content: "dark", mode: 0o400 },
    { path: "empty" },
    { path: "../../climbed", content: "up" },
    { path: "tolink", type: TYPE.symlink, link: "real" },
    { path: "real/", type: TYPE.directory },
    { path: "tolink/through", content: "linked" },
    { path: "fifo", type: TYPE.fifo },
    { path: "null", type: TYPE.charDevice, deviceMajor: 1, deviceMinor: 3 },
  ];
}
