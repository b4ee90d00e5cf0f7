/** Files as `ls` shows them. Names are bytes and come out as they are. */
import type { FileEntry } from "../../engine/file-view.ts";
import type { ByteString } from "../../sys/byte-string.ts";
import type { FileKind } from "../../sys/stat.ts";
import { minuteTime } from "./clock.ts";

/** A name a line. */
export function shortListing(entries: readonly FileEntry[]): ByteString {
  return entries.map(({ name }) => `${name}\n`).join("") as ByteString;
}

/** Mode, owners, size or device numbers, time and name, in columns. */
export function longListing(entries: readonly FileEntry[]): ByteString {
  const rows = entries.map((entry) => [
    modeText(entry),
    String(entry.uid),
    String(entry.gid),
    sizeText(entry),
    minuteTime(entry.mtime.seconds),
    entry.linkTarget === undefined ? entry.name : `${entry.name} -> ${entry.linkTarget}`,
  ]);
  const widths = [1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const padded = (row: readonly string[]): string =>
    row.map((cell, column) => (column >= 1 && column <= 3 ? cell.padStart(widths[column - 1]!) : cell)).join(" ");
  return rows.map((row) => `${padded(row)}\n`).join("") as ByteString;
}

const KIND_LETTERS: Readonly<Record<FileKind, string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  char: "c",
  block: "b",
  fifo: "p",
  socket: "s",
};

/** @example modeText({ kind: "file", mode: 0o4755 }) // "-rwsr-xr-x" */
export function modeText({ kind, mode }: Pick<FileEntry, "kind" | "mode">): string {
  const letters = [..."rwxrwxrwx"].map((letter, at) => (mode & (0o400 >> at) ? letter : "-"));
  const special = (bit: number, at: number, letter: string): void => {
    if (mode & bit) letters[at] = letters[at] === "x" ? letter : letter.toUpperCase();
  };
  special(0o4000, 2, "s");
  special(0o2000, 5, "s");
  special(0o1000, 8, "t");
  return KIND_LETTERS[kind] + letters.join("");
}

function sizeText({ kind, size, deviceMajor, deviceMinor }: FileEntry): string {
  return kind === "char" || kind === "block" ? `${deviceMajor}, ${deviceMinor}` : String(size);
}
