/**
 * Names in a tar or a directory are bytes, not text. A `ByteString` holds one byte a character (U+0000 to U+00FF), so
 * that names compare, sort, join and serve as map keys with the ordinary string operations, in the kernel's and Go's
 * order, and no byte is ever lost. Text becomes one by `fromText`; what a person reads comes from `toText`.
 */
export type ByteString = string & { readonly [brand]: true };
declare const brand: unique symbol;

export function fromBytes(bytes: Uint8Array): ByteString {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1") as ByteString;
}

export function toBytes(name: ByteString): Buffer {
  return Buffer.from(name, "latin1");
}

/** The UTF-8 bytes of a text. */
export function fromText(text: string): ByteString {
  return (isAscii(text) ? text : Buffer.from(text, "utf8").toString("latin1")) as ByteString;
}

/** For display and for JSON: bytes that are not UTF-8 become U+FFFD. */
export function toText(name: ByteString): string {
  return isAscii(name) ? name : Buffer.from(name, "latin1").toString("utf8");
}

/** Whether `fromText(toText(name))` gives the name back. */
export function isUtf8(name: ByteString): boolean {
  return isAscii(name) || fromText(toText(name)) === name;
}

export function isAscii(text: string): boolean {
  return /^[\x00-\x7f]*$/.test(text);
}
