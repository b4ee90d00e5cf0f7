import type { ByteString } from "../sys/byte-string.ts";
import type { Time } from "../sys/time.ts";

/**
 * Tar as Go's archive/tar understands it, because that is what Docker stores and writes, in four steps. `TarReader`
 * cuts a stream into headers, payload and the raw bytes between; `Disassembler` turns that into tar-split lines
 * while a tree takes the payload; `assemble` joins lines and files to the exact stream again; `encodeHeader` makes new
 * headers. A `Header` is one entry with everything merged that its PAX records and GNU long names say.
 */
export interface Header {
  /** As stored, a directory's trailing slash included. Never trust it as a path. */
  readonly name: ByteString;
  readonly linkname: ByteString;
  /** Permission bits, and in many archives also those of the file type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file's content, holes included. May be other than 0 for types that have no payload. */
  readonly size: number;
  readonly mtime: Time;
  readonly atime?: Time | undefined;
  readonly ctime?: Time | undefined;
  /** The type flag, one character of `TYPE` or any other byte; V7's NUL has become `file` or `directory`. */
  readonly type: string;
  readonly userName: ByteString;
  readonly groupName: ByteString;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** All PAX records, as bytes, also those that are merged above. */
  readonly records: ReadonlyMap<string, ByteString>;
  readonly format: Format;
  /** The fragments of a sparse file that hold data, in order; what lies between and behind them, up to `size`, is zeros. */
  readonly sparse?: readonly Fragment[] | undefined;
  /** Bytes that follow in the stream: 0 for types without payload, the sum of the fragments for a sparse file. */
  readonly payloadSize: number;
}

/**
 * The dialect. `unknown` breaks the rules of the one that it claims. For a header to be written it is a wish: `pax`
 * also allows USTAR where that loses nothing; `v7`, `star` and `unknown` leave the choice to the writer.
 */
export type Format = "v7" | "ustar" | "pax" | "gnu" | "star" | "unknown";

export interface Fragment {
  readonly offset: number;
  readonly length: number;
}

export const TYPE = {
  file: "0",
  hardLink: "1",
  symlink: "2",
  charDevice: "3",
  blockDevice: "4",
  directory: "5",
  fifo: "6",
  contiguous: "7",
  gnuSparse: "S",
  paxHeader: "x",
  paxGlobal: "g",
  gnuLongName: "L",
  gnuLongLink: "K",
} as const;

/** PAX records with this prefix are extended attributes. */
export const XATTR_PREFIX = "SCHILY.xattr.";

/** Whether entries of this type have no payload, whatever size their header tells. */
export function isHeaderOnly(type: string): boolean {
  return type.length === 1 && type >= "1" && type <= "6";
}

/**
 * A header to be written, from the fields that matter.
 *
 * @example
 * newHeader({ name: fromText("etc/motd"), mode: 0o644, size: 12, mtime: { seconds: 0, nanoseconds: 0 } })
 */
export function newHeader(fields: Partial<Header> & Pick<Header, "name">): Header {
  const type = fields.type ?? TYPE.file;
  return {
    linkname: "" as ByteString,
    mode: 0,
    uid: 0,
    gid: 0,
    size: 0,
    mtime: EPOCH,
    type,
    userName: "" as ByteString,
    groupName: "" as ByteString,
    deviceMajor: 0,
    deviceMinor: 0,
    records: NO_RECORDS,
    format: "pax",
    payloadSize: isHeaderOnly(type) ? 0 : (fields.size ?? 0),
    ...fields,
  };
}

const EPOCH: Time = { seconds: 0, nanoseconds: 0 };
export const NO_RECORDS: ReadonlyMap<string, ByteString> = new Map();
