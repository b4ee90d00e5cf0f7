/** Tars that no writer writes: headers field by field, with whatever in them. */

export interface RawHeader {
  readonly name: string;
  readonly type?: string;
  /** What the header tells, or the bytes of its field. */
  readonly size?: number | Buffer;
  readonly mode?: number;
  readonly linkname?: string;
  readonly magic?: string;
  /** Changes the block before the checksum is made. */
  readonly edit?: (block: Buffer) => void;
  /** What is to be wrong with the checksum. */
  readonly checksumOff?: number;
}

/** A header block. Texts have one character a byte. */
export function rawHeader({ name, type = "0", size = 0, mode = 0o644, linkname = "", ...rest }: RawHeader): Buffer {
  const block = Buffer.alloc(512);
  block.write(name.slice(0, 100), 0, "latin1");
  block.write(octal(mode, 8), 100, "latin1");
  block.write(octal(0, 8), 108, "latin1");
  block.write(octal(0, 8), 116, "latin1");
  if (typeof size === "number") block.write(octal(size, 12), 124, "latin1");
  else size.copy(block, 124);
  block.write(octal(1_600_000_000, 12), 136, "latin1");
  block.write(type, 156, "latin1");
  block.write(linkname.slice(0, 100), 157, "latin1");
  block.write(rest.magic ?? "ustar\x0000", 257, "latin1");
  rest.edit?.(block);
  block.fill(" ", 148, 156);
  const sum = block.reduce((total, byte) => total + byte, rest.checksumOff ?? 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0`, 148, "latin1");
  return block;
}

/** An entry with its payload, padded; its header tells the payload's size unless it shall lie. */
export function rawEntry(header: RawHeader, payload: Buffer | string = ""): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  return Buffer.concat([rawHeader({ size: bytes.length, ...header }), bytes, Buffer.alloc(-bytes.length & 511)]);
}

/** A PAX header with these records. */
export function paxHeader(records: Readonly<Record<string, string>> | string, type = "x"): Buffer {
  const data =
    typeof records === "string"
      ? records
      : Object.entries(records)
          .map(([key, value]) => paxRecord(key, value))
          .join("");
  return rawEntry({ name: "PaxHeaders.0/x", type }, data);
}

export function paxRecord(key: string, value: string): string {
  const content = ` ${key}=${value}\n`;
  let length = content.length;
  while (String(length).length + content.length !== length) length = String(length).length + content.length;
  return `${length}${content}`;
}

/** GNU's way to write large and negative numbers, for a field of 12 bytes. */
export function base256(value: bigint): Buffer {
  const field = Buffer.alloc(12);
  let rest = BigInt.asUintN(96, value);
  for (let at = 11; at >= 0; at--, rest >>= 8n) field[at] = Number(rest & 0xffn);
  field[0]! |= 0x80;
  return field;
}

export const END: Buffer = Buffer.alloc(1024);

function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}
