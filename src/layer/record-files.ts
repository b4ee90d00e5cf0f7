import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { type Digest, parseDigest } from "../digest/digest.ts";
import { asVarveError, errnoOf, isVarveError, VarveError } from "../errors.ts";
import { namesIn } from "../io/directory.ts";
import {
  type GoStructType,
  goInteger,
  goList,
  goString,
  goStruct,
  optional as optionalField,
} from "../json/go-type.ts";
import { formatGo } from "../json/go-value.ts";
import type { Descriptor } from "./layer.ts";
import type { LayerRecord, MountRecord } from "./metadata.ts";

/**
 * The small files that a record consists of (FORMATS 2.1, 2.7): text without a newline at its end when we write it,
 * with Docker's leniency when we read it.
 */
export type RecordFile = readonly [name: string, text: string];

/** A layer's files but for the tar-split, in the order in which Docker writes them. */
export function layerFiles(record: LayerRecord): RecordFile[] {
  const files: RecordFile[] = [
    ["diff", record.diffID],
    ["size", String(record.size)],
    ["cache-id", record.cacheID],
  ];
  if (record.descriptor !== undefined)
    files.push(["descriptor.json", formatGo(descriptorType.write(record.descriptor)).toString()]);
  if (record.parent !== undefined) files.push(["parent", record.parent]);
  return files;
}

export function mountFiles(record: MountRecord): RecordFile[] {
  const files: RecordFile[] = [["mount-id", record.mountID]];
  if (record.initID !== undefined) files.push(["init-id", record.initID]);
  if (record.parent !== undefined) files.push(["parent", record.parent]);
  return files;
}

/** @throws VarveError `corrupt`, with the file and what is wrong with it */
export function readLayerFiles(directory: string): LayerRecord {
  // To look for a file in vain takes longer than to read one.
  const present = namesIn(directory);
  const has = (name: string): boolean => present.includes(name);
  const descriptor = has("descriptor.json") ? readText(directory, "descriptor.json") : undefined;
  return {
    diffID: required(directory, "diff", parseDigestText),
    size: required(directory, "size", parseSize),
    cacheID: required(directory, "cache-id", parseTreeName),
    parent: has("parent") ? optional(directory, "parent", parseDigestText) : undefined,
    descriptor:
      descriptor === undefined ? undefined : parsing(directory, "descriptor.json", descriptor, parseDescriptor),
  };
}

/** @throws VarveError as `readLayerFiles` */
export function readMountFiles(directory: string): MountRecord {
  return {
    mountID: required(directory, "mount-id", parseMountID),
    initID: optional(directory, "init-id", parseMountID),
    parent: optional(directory, "parent", parseDigestText),
  };
}

/** The driver trees that belong to whatever record, or beginning of one, lies in a directory. */
export function treesNamedIn(directory: string): string[] {
  return [
    tolerant(() => optional(directory, "cache-id", parseTreeName)),
    tolerant(() => optional(directory, "mount-id", parseMountID)),
    tolerant(() => optional(directory, "init-id", parseMountID)),
  ].filter((tree) => tree !== undefined);
}

function tolerant(read: () => string | undefined): string | undefined {
  try {
    return read();
  } catch (error) {
    if (isVarveError(error, "corrupt")) return undefined;
    throw error;
  }
}

function required<T>(directory: string, name: string, parse: (text: string) => T): T {
  const text = readText(directory, name);
  if (text === undefined) throw unusable(directory, name, "it is missing");
  return parsing(directory, name, text, parse);
}

function optional<T>(directory: string, name: string, parse: (text: string) => T): T | undefined {
  const text = readText(directory, name);
  return text === undefined ? undefined : parsing(directory, name, text, parse);
}

function parsing<T>(directory: string, name: string, text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof VarveError) throw unusable(directory, name, error.message, error);
    throw error;
  }
}

function parseDigestText(text: string): Digest {
  return parseDigest(text.trim());
}

/** Go's ParseInt, which trims nothing. */
function parseSize(text: string): number {
  if (!/^[+-]?[0-9]+$/.test(text)) throw invalid(`invalid size ${JSON.stringify(text)}`);
  const size = BigInt(text.replace("+", ""));
  if (BigInt.asIntN(64, size) !== size) throw invalid(`size out of range ${JSON.stringify(text)}`);
  return Number(size);
}

/** Any text, as long as it is one name in a directory. */
function parseTreeName(text: string): string {
  const name = text.trim();
  if (name === "" || name === "." || name === ".." || /[/\0]/.test(name)) throw invalid("invalid cache id value");
  return name;
}

function parseMountID(text: string): string {
  const id = text.trim();
  if (!/^[a-f0-9]{64}(-init)?$/.test(id)) throw invalid(`invalid mount id value ${JSON.stringify(id)}`);
  return id;
}

/** As Docker decodes it; without a digest it describes nothing. */
function parseDescriptor(text: string): Descriptor | undefined {
  const descriptor = descriptorType.parse(text);
  return descriptor.digest === "" ? undefined : descriptor;
}

const descriptorType: GoStructType<Descriptor> = goStruct<Descriptor>("Descriptor", {
  mediaType: optionalField("mediaType", goString),
  size: optionalField("size", goInteger),
  digest: optionalField("digest", goString),
  urls: optionalField("urls", goList(goString)),
});

/** `undefined` when there is no such file in the directory. Neither a pipe nor a huge file makes it hang. */
function readText(directory: string, name: string): string | undefined {
  const path = `${directory}/${name}`;
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    if (errnoOf(error) === "ELOOP") throw unusable(directory, name, "it is a symbolic link", error);
    throw asVarveError(error);
  }
  try {
    if (!fstatSync(fd).isFile()) throw unusable(directory, name, "it is not a file");
    const length = readSync(fd, content, 0, LIMIT, 0);
    if (length === LIMIT) throw unusable(directory, name, "it is too long");
    return content.toString("utf8", 0, length);
  } finally {
    closeSync(fd);
  }
}

const LIMIT = 64 << 10;
/** One for all: a buffer for each file costs more than reading it. */
const content: Buffer = Buffer.allocUnsafeSlow(LIMIT);

function invalid(message: string): VarveError {
  return new VarveError("corrupt", message);
}

function unusable(directory: string, name: string, reason: string, cause?: unknown): VarveError {
  const path = join(directory, name);
  return new VarveError("corrupt", `${path}: ${reason}`, { path }, cause);
}
