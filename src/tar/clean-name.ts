import { type ByteString, fromBytes, toBytes } from "../sys/byte-string.ts";
import { lexicalComponents } from "../sys/lexical.ts";

/**
 * The lexically shortest form of a slash-separated name: no empty and no `.` components, `..` resolved as far as the
 * name reaches, no trailing slash; `.` for nothing at all. Absolute names stay absolute. It is Go's `filepath.Clean`,
 * by which tar-split tells duplicates (FORMATS 9.4); it follows no links, so it is no defence.
 *
 * @example cleanName(fromText("./a//b/../c/")) // "a/c"
 */
export function cleanName(name: ByteString): ByteString {
  const end = name.length > 1 && name.endsWith("/") ? name.length - 1 : name.length;
  const trimmed = end === name.length ? name : name.slice(0, end);
  if (trimmed !== "" && !UNCLEAN.test(trimmed)) return trimmed as ByteString;
  return cleanSlowly(name);
}

/** A component that is empty, `.` or `..`. */
const UNCLEAN = /(?:^|\/)\.{0,2}(?:\/|$)/;

function cleanSlowly(name: string): ByteString {
  const rooted = name.startsWith("/");
  const kept = lexicalComponents(name, !rooted);
  const path = rooted ? `/${kept.join("/")}` : kept.join("/") || ".";
  // A copy: of a name that was a megabyte of `./` a mere piece would keep all of it in memory.
  return fromBytes(toBytes(path as ByteString));
}
