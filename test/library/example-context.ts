/**
 * What an example takes for granted, by its file. Names that the file itself exports need not be said; examples of what
 * users import say their imports themselves.
 */
export const CONTEXT: Readonly<Record<string, string>> = {
  "src/archive/changes.ts": 'import { EMPTY_CONTAINER_CONFIG } from "src/image/container-config.ts";',
  "src/archive/import.ts": 'import { Stores } from "src/archive/archive.ts"; declare const stores: Stores;',
  "src/archive/load.ts":
    'import { Stores } from "src/archive/archive.ts"; declare const stores: Stores; declare const temporary: string;',
  "src/archive/save.ts":
    'import { Stores } from "src/archive/archive.ts"; import { writeAll } from "src/io/byte-source.ts";' +
    "declare const stores: Stores, output: number;",
  "src/cli/ui/rows.ts": "declare const rows: Parameters<typeof formatRows>[2];",
  "src/driver/driver.ts":
    'import { Disassembler } from "varve/tar"; declare const driver: Driver;' +
    "declare const id: string, parent: string; declare const tar: AsyncIterable<Uint8Array>; let size: number;" +
    "declare function line(text: string): void;",
  "src/engine/image-files.ts":
    'import { Layer } from "src/layer/layer.ts"; import { fromText } from "varve"; declare const layers: Layer[];',
  "src/engine/store.ts":
    'import { createWriteStream } from "node:fs"; import { open } from "node:fs/promises"; import { pipeline } from "node:stream/promises"; declare const store: Store;',
  "src/engine/v1-store.ts":
    'import { createWriteStream } from "node:fs"; import { pipeline } from "node:stream/promises"; import { openV1Store } from "varve";',
  "src/errors.ts": 'import { Store } from "varve"; declare const store: Store;',
  "src/fstree/apply.ts":
    'import { Disassembler } from "varve/tar"; declare const diff: string; declare function line(text: string): void;' +
    "declare const layer: AsyncIterable<Uint8Array>;",
  "src/fstree/diff.ts": 'import { writeAll } from "src/io/byte-source.ts"; declare const merged: string;',
  "src/graph/descriptor.ts": 'import { readFileSync } from "node:fs"; declare const id: GraphID;',
  "src/graph/graph-config.ts":
    'import { Graph } from "src/graph/graph.ts"; import { GraphID } from "src/graph/descriptor.ts"; import { DiffID } from "varve"; declare const graph: Graph; declare const id: GraphID, baseID: GraphID; declare const diffID: DiffID, baseDiffID: DiffID;',
  "src/graph/graph.ts": 'import { Driver } from "varve/driver"; declare const driver: Driver;',
  "src/graph/tag-store.ts": 'import { GraphID } from "src/graph/descriptor.ts"; declare const id: GraphID;',
  "src/image/container-config.ts": 'import { formatGo } from "src/json/go-value.ts";',
  "src/image/image-tar.ts":
    'import { ImageID } from "varve"; import { ImageStore } from "src/image/store.ts";' +
    "declare const images: ImageStore; declare const id: ImageID;",
  "src/image/store.ts":
    'import { ImageBackend } from "src/image/backend.ts"; import { LayerStore } from "src/layer/store.ts";' +
    "declare const backend: ImageBackend; declare const layers: LayerStore; declare const configBytes: Buffer;",
  "src/io/atomic-file.ts": 'import { join } from "node:path"; declare const root: string; declare const json: Buffer;',
  "src/io/compression.ts":
    'import { createHash } from "node:crypto"; import { fileSource } from "src/io/byte-source.ts"; const hash = createHash("sha256");',
  "src/io/temporary.ts": 'import { join } from "node:path"; declare const root: string;',
  "src/io/write-set.ts":
    'import { join } from "node:path"; declare const layerdb: string, diffID: string, hex: string;',
  "src/json/json.ts": "declare const bytes: Buffer;",
  "src/layer/init-layer.ts":
    'import { ChainID } from "varve"; import { LayerStore } from "src/layer/store.ts";' +
    "declare const store: LayerStore; declare const name: string, parent: ChainID;",
  "src/layer/layer.ts":
    'import { ChainID } from "varve"; import { LayerStore } from "src/layer/store.ts";' +
    'import { writeAll } from "src/io/byte-source.ts"; declare const store: LayerStore, chainID: ChainID, output: number;',
  "src/layer/store.ts":
    'import { createReadStream } from "node:fs"; import { Driver } from "varve/driver"; import { FileMetadata } from "src/layer/file-metadata.ts";' +
    "declare const driver: Driver; declare const directory: string;",
  "src/reference/reference-store.ts":
    'import { ImageID } from "varve"; import { parseNormalized } from "src/reference/reference.ts"; declare const id: ImageID;',
  "src/sys/lock.ts": "declare const signal: AbortSignal;",
  "src/sys/tree-root.ts": 'import { fromText } from "varve"; import { unlinkAt } from "src/sys/at.ts";',
  "src/tar/assemble.ts":
    'import { createReadStream, writeSync } from "node:fs"; import { toText } from "varve"; import { Layer } from "src/layer/layer.ts";' +
    "declare const layer: Layer, files: PayloadFiles, output: number;",
  "src/tar/clean-name.ts": 'import { fromText } from "varve";',
  "src/tar/disassemble.ts":
    'import { Gzip } from "node:zlib"; declare const gzip: Gzip; declare const tree: EntrySink; declare const layer: AsyncIterable<Uint8Array>;',
  "src/tar/header.ts": 'import { fromText } from "varve";',
  "src/tar/reader.ts": 'import { createReadStream } from "node:fs"; import { ByteString } from "varve";',
  "src/tar/split.ts": 'import { fromText } from "varve";',
  "src/tar/writer.ts":
    'import { fromText } from "varve"; import { newHeader } from "varve/tar"; declare const text: Buffer;',
  "src/testing/image-backend-suite.ts":
    'import { ImageBackend } from "varve/testing"; declare const MemoryBackend: new () => ImageBackend;',
  "src/testing/index.ts":
    'import { Driver, DriverOptions } from "varve/driver"; declare const MyDriver: new (options: DriverOptions) => Driver;',
  "src/testing/v1-graph.ts": 'import { tarOf } from "src/testing/tar-entries.ts";',
  "src/testing/tree-listing.ts": 'import { expect } from "vitest"; declare const theirs: string, ours: string;',
};
