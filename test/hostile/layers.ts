/** Layers that nobody makes by accident, and what has to become of each. */
import type { DriverName } from "./bench.ts";
import { base256, END, paxHeader, paxRecord, rawEntry, rawHeader } from "./raw-tar.ts";

/** The layer is taken in and comes out byte for byte, or the load ends with this in its one line. */
export type Verdict = "kept" | RegExp;

export interface LayerCase {
  readonly name: string;
  readonly layer: Buffer;
  readonly verdict: Verdict | Readonly<Record<DriverName, Verdict>>;
}

export function verdictFor({ verdict }: LayerCase, driver: DriverName): Verdict {
  return verdict === "kept" || verdict instanceof RegExp ? verdict : verdict[driver];
}

const kept = "kept";
const tar = (...parts: Buffer[]): Buffer => Buffer.concat([...parts, END]);
const file = (name: string, content = "some content\n"): Buffer => rawEntry({ name }, content);
const directory = (name: string): Buffer => rawEntry({ name, type: "5", mode: 0o755 });
const symlink = (name: string, linkname: string): Buffer => rawEntry({ name, type: "2", linkname });
const hardLink = (name: string, linkname: string): Buffer => rawEntry({ name, type: "1", linkname });
const sparseBlocks = Buffer.concat([Buffer.alloc(512, "A"), Buffer.alloc(512, "B")]);

/** A sparse file of GNU tar's PAX format 1.0: its payload begins with the map. */
function sparse10(name: string, size: number, map: readonly (readonly [number, number])[], data: Buffer): Buffer {
  const lines = [map.length, ...map.flat()].join("\n");
  const head = Buffer.alloc(Math.ceil((lines.length + 1) / 512) * 512);
  head.write(`${lines}\n`);
  const records = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": name };
  return Buffer.concat([
    paxHeader({ ...records, "GNU.sparse.realsize": String(size) }),
    rawEntry({ name: `GNUSparseFile.0/${name}` }, Buffer.concat([head, data])),
  ]);
}

function sparse01(name: string, size: number, map: readonly (readonly [number, number])[], data: Buffer): Buffer {
  return Buffer.concat([
    paxHeader({
      "GNU.sparse.size": String(size),
      "GNU.sparse.numblocks": String(map.length),
      "GNU.sparse.name": name,
      "GNU.sparse.map": map.flat().join(","),
    }),
    rawEntry({ name: `GNUSparseFile.0/${name}` }, data),
  ]);
}

function sparse00(name: string, size: number, map: readonly (readonly [number, number])[], data: Buffer): Buffer {
  const pairs = map.map(
    ([offset, length]) =>
      paxRecord("GNU.sparse.offset", String(offset)) + paxRecord("GNU.sparse.numbytes", String(length)),
  );
  const head = paxRecord("GNU.sparse.size", String(size)) + paxRecord("GNU.sparse.numblocks", String(map.length));
  return Buffer.concat([paxHeader(head + pairs.join("")), rawEntry({ name }, data)]);
}

const DEEP = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(100, "d")).join("/");

export const LAYERS: readonly LayerCase[] = [
  // Ends.
  { name: "no bytes at all", layer: Buffer.alloc(0), verdict: kept },
  { name: "1024 zeros", layer: END, verdict: kept },
  { name: "512 zeros", layer: Buffer.alloc(512), verdict: kept },
  { name: "100 zeros", layer: Buffer.alloc(100), verdict: /it is cut short \(unexpected EOF\)/ },
  { name: "no end blocks", layer: file("a"), verdict: kept },
  { name: "an end in the padding", layer: file("a", "x".repeat(600)).subarray(0, 1200), verdict: kept },
  { name: "an end before the padding", layer: file("a", "x".repeat(600)).subarray(0, 1112), verdict: kept },
  {
    name: "one zero block, then more",
    layer: tar(file("a"), Buffer.alloc(512), file("b")),
    verdict: /invalid tar header/,
  },
  { name: "something behind the end", layer: tar(file("a"), END, Buffer.alloc(70_001, "?")), verdict: kept },
  { name: "a megabyte of padding", layer: tar(file("a"), Buffer.alloc(1 << 20)), verdict: kept },
  { name: "text", layer: Buffer.from("hello, this is no tar\n".repeat(100)), verdict: /invalid tar header/ },

  // Headers.
  { name: "a wrong checksum", layer: tar(rawHeader({ name: "a", checksumOff: 1 })), verdict: /invalid tar header/ },
  {
    name: "a negative size",
    layer: tar(rawHeader({ name: "a", size: base256(-512n) })),
    verdict: /invalid tar header/,
  },
  {
    name: "a size of 8 EiB",
    layer: tar(rawHeader({ name: "a", size: base256(2n ** 63n - 1n) })),
    verdict: /invalid tar header/,
  },
  {
    name: "a size of 4 PiB",
    layer: tar(rawHeader({ name: "a", size: base256(2n ** 52n) }), file("b")),
    verdict: /unexpected EOF/,
  },
  {
    name: "a size that is no number",
    layer: tar(rawHeader({ name: "a", size: Buffer.from("zzz") })),
    verdict: /invalid tar header/,
  },
  {
    name: "a V7 header",
    layer: tar(rawEntry({ name: "a", type: "\0", magic: "" }, "x"), rawEntry({ name: "d/", type: "\0", magic: "" })),
    verdict: kept,
  },
  { name: "a name without a NUL", layer: tar(file("n".repeat(100))), verdict: kept },
  { name: "a NUL in a name", layer: tar(file("a\0b"), file("c")), verdict: kept },
  {
    name: "no name, and content",
    layer: tar(file(""), file("a")),
    verdict: { overlay2: kept, vfs: /"" would replace the root directory/, rootless: kept },
  },
  {
    name: "contiguous files",
    layer: tar(rawEntry({ name: "a", type: "7" }, "x")),
    verdict: /unhandled tar header type 55: "a"/,
  },
  { name: "GNU's old sparse files", layer: tar(oldSparse("a")), verdict: /unhandled tar header type 83/ },
  { name: "volume labels", layer: tar(rawEntry({ name: "a", type: "V" })), verdict: /unhandled tar header type 86/ },
  {
    name: "an unknown type",
    layer: tar(rawEntry({ name: "a", type: "\x01" })),
    verdict: /unhandled tar header type 1\b/,
  },

  // PAX.
  { name: "a global header", layer: tar(paxHeader({ comment: "x" }, "g"), file("a")), verdict: kept },
  {
    name: "two global headers",
    layer: tar(paxHeader({ comment: "x" }, "g"), paxHeader({ comment: "y" }, "g")),
    verdict: /duplicates of file paths not supported: "PaxHeaders\.0\/x"/,
  },
  { name: "a PAX header with nothing behind it", layer: tar(paxHeader({ path: "a" })), verdict: kept },
  {
    name: "a thousand PAX headers in a row",
    layer: tar(...Array.from({ length: 1000 }, () => paxHeader({ path: "a" })), file("b")),
    verdict: kept,
  },
  { name: "a NUL in a PAX path", layer: tar(paxHeader({ path: "a\0b" }), file("c")), verdict: /invalid tar header/ },
  {
    name: "a PAX record that claims to be long",
    layer: tar(paxHeader("99999999999999999999 path=a\n"), file("b")),
    verdict: /invalid tar header/,
  },
  {
    name: "a PAX size that is negative",
    layer: tar(paxHeader({ size: "-1" }), file("b")),
    verdict: /invalid tar header/,
  },
  {
    name: "a PAX size that is smaller than the header's",
    layer: tar(paxHeader({ size: "1" }), file("b", "x")),
    verdict: kept,
  },
  {
    name: "a PAX header of 2 MiB",
    layer: tar(paxHeader({ comment: "x".repeat(2 << 20) }), file("b")),
    verdict: /header field too long/,
  },
  {
    name: "a PAX header that declares 8 GiB",
    layer: tar(rawHeader({ name: "x", type: "x", size: 2 ** 33 - 1 }), file("b")),
    verdict: /it is cut short/,
  },
  {
    name: "a GNU name of 2 MiB",
    layer: tar(gnuLong("L", "n".repeat(2 << 20)), file("b")),
    verdict: /header field too long/,
  },
  {
    name: "a name of 1 MB",
    layer: tar(gnuLong("L", "n/".repeat(500_000)), file("b")),
    verdict: /\/n\/n.*….*: file name too long/,
  },
  {
    name: "a link to a name of 1 MB",
    layer: tar(gnuLong("K", "n".repeat(1_000_000)), symlink("b", "x")),
    verdict: /symlink \/b: file name too long/,
  },
  {
    name: "an attribute of 100 kB",
    layer: tar(paxHeader({ "SCHILY.xattr.user.x": "v".repeat(100_000) }), file("b")),
    verdict: /lsetxattr \/b: argument list too long/,
  },
  {
    name: "an attribute that cannot be",
    layer: tar(paxHeader({ "SCHILY.xattr.nonsense": "v" }), file("b")),
    verdict: kept,
  },
  {
    name: "an attribute without a name",
    layer: tar(paxHeader({ "SCHILY.xattr.": "v" }), file("b")),
    verdict: /lsetxattr \/b: numerical result out of range/,
  },
  {
    name: "an attribute with a NUL in its value",
    layer: tar(paxHeader({ "SCHILY.xattr.user.x": "a\0b" }), file("b")),
    verdict: kept,
  },
  {
    name: "overlayfs' own attributes",
    layer: tar(paxHeader({ "SCHILY.xattr.trusted.overlay.redirect": "/../../etc" }), directory("d/")),
    verdict: kept,
  },
  {
    name: "times out of all bounds",
    layer: tar(paxHeader({ mtime: "99999999999999999", atime: "-99999999999.5" }), file("b")),
    verdict: kept,
  },
  {
    name: "owners out of all bounds",
    layer: tar(paxHeader({ uid: "4294967296", gid: "-1" }), file("b")),
    verdict: kept,
  },

  // Sparse files.
  {
    name: "a sparse file, 1.0",
    layer: tar(
      sparse10(
        "s",
        70_000,
        [
          [0, 512],
          [60_000, 512],
        ],
        sparseBlocks,
      ),
    ),
    verdict: kept,
  },
  {
    name: "a sparse file, 0.1",
    layer: tar(
      sparse01(
        "s",
        70_000,
        [
          [0, 512],
          [60_000, 512],
        ],
        sparseBlocks,
      ),
    ),
    verdict: kept,
  },
  {
    name: "a sparse file, 0.0",
    layer: tar(
      sparse00(
        "s",
        70_000,
        [
          [0, 512],
          [60_000, 512],
        ],
        sparseBlocks,
      ),
    ),
    verdict: kept,
  },
  {
    name: "a sparse file of 8 TiB",
    layer: tar(sparse10("s", 2 ** 43, [[2 ** 43 - 512, 512]], Buffer.alloc(512, "A"))),
    verdict: kept,
  },
  {
    name: "a sparse file of 4 EiB",
    layer: tar(sparse10("s", 2 ** 52, [[2 ** 52 - 512, 512]], Buffer.alloc(512, "A"))),
    verdict: /write \/s: file too large/,
  },
  {
    name: "a sparse map that runs backwards",
    layer: tar(
      sparse01(
        "s",
        70_000,
        [
          [60_000, 512],
          [0, 512],
        ],
        sparseBlocks,
      ),
    ),
    verdict: /invalid tar header/,
  },
  {
    name: "a sparse map beyond the file",
    layer: tar(sparse01("s", 100, [[0, 512]], Buffer.alloc(512))),
    verdict: /invalid tar header/,
  },
  {
    name: "a sparse map for more than there is",
    layer: tar(sparse01("s", 70_000, [[0, 1024]], Buffer.alloc(512))),
    verdict: /sparse file references non-existent data/,
  },
  { name: "a sparse map of nothing", layer: tar(sparse10("s", 70_000, [], Buffer.alloc(0))), verdict: kept },
  {
    name: "a sparse map of a billion pieces",
    layer: tar(
      paxHeader({ "GNU.sparse.major": "1", "GNU.sparse.minor": "0" }),
      rawEntry({ name: "s" }, `1000000000\n${"0\n".repeat(500)}`),
    ),
    verdict: /header field too long/,
  },
  {
    name: "a sparse file that hides its name",
    layer: tar(sparse10("../../s", 700, [[0, 512]], Buffer.alloc(512, "A"))),
    verdict: kept,
  },

  // Names.
  {
    name: "the same name twice",
    layer: tar(file("a"), file("b"), file("a")),
    verdict: /duplicates of file paths not supported: "a"/,
  },
  {
    name: "the same name in two spellings",
    layer: tar(file("d/a"), file("./d//x/../a")),
    verdict: /duplicates of file paths not supported/,
  },
  {
    name: "a file, then a directory of that name",
    layer: tar(file("a"), directory("a/")),
    verdict: /duplicates of file paths not supported/,
  },
  { name: "a file, then something in it", layer: tar(file("a"), file("a/b")), verdict: /not a directory/ },
  {
    name: "something in a directory that becomes a file",
    layer: tar(file("a/b"), file("a")),
    verdict: /content could then not be saved again/,
  },
  {
    name: "something in a directory that becomes a link",
    layer: tar(file("a/b"), symlink("a", "c"), file("c/b")),
    verdict: /content could then not be saved again/,
  },
  { name: "something empty in a directory that becomes a file", layer: tar(file("a/b", ""), file("a")), verdict: kept },
  {
    name: "./ and names below it",
    layer: tar(directory("./"), file("./a"), directory("./d/"), file("./d/b")),
    verdict: kept,
  },
  {
    name: "names that climb out",
    layer: tar(file("../../climbed"), file("/absolute/f"), file("sub/../../up"), file("..a/b")),
    verdict: kept,
  },
  { name: "the root as a file", layer: tar(file("/", "")), verdict: /root directory/ },
  {
    name: "names that are no UTF-8",
    layer: tar(file("\xff\xfe"), symlink("\xe4", "\xff"), directory("\xc3/")),
    verdict: kept,
  },
  { name: "names with control characters", layer: tar(file("a\nb\x1b[31m"), file("\x7f")), verdict: kept },
  {
    name: "a part of a name that is too long",
    layer: tar(gnuLong("L", "n".repeat(256)), file("x")),
    verdict: /file ?name too long/i,
  },
  { name: "a name of 6000 bytes", layer: tar(gnuLong("L", `${DEEP}/f`), file("x")), verdict: /file name too long/ },

  // Links.
  {
    name: "a symlink out",
    layer: tar(symlink("s", "../../../etc/passwd"), symlink("t", "/etc/shadow")),
    verdict: kept,
  },
  {
    name: "a file through a symlink of the same layer",
    layer: tar(directory("real/"), symlink("l", "real"), file("l/f")),
    verdict: kept,
  },
  {
    name: "a file through a symlink to the root",
    layer: tar(symlink("l", "/"), symlink("up", "../../.."), file("l/f"), file("up/g")),
    verdict: kept,
  },
  {
    name: "a file through a symlink to nothing",
    layer: tar(symlink("l", "/nowhere/at/all"), file("l/f")),
    verdict: /no such file or directory/,
  },
  {
    name: "a file through a symlink that goes in circles",
    layer: tar(symlink("l", "m"), symlink("m", "l"), file("l/f")),
    verdict: /too many (levels of )?symbolic links/i,
  },
  {
    name: "a link that goes after a file went through it",
    layer: tar(
      directory("d/"),
      symlink("l", "d"),
      file("l/f"),
      directory("l/x/"),
      rawEntry({ name: "./l/../l/", type: "5" }),
    ),
    verdict: /duplicates of file paths not supported: ".\/l\/..\/l\/"/,
  },
  {
    name: "a hard link out",
    layer: tar(file("a"), hardLink("h", "../../../../etc/passwd")),
    verdict: /link \/etc\/passwd \/h: no such file or directory/,
  },
  {
    name: "a hard link to nothing",
    layer: tar(hardLink("h", "missing")),
    verdict: /link \/missing \/h: no such file or directory/,
  },
  { name: "a hard link to itself", layer: tar(hardLink("h", "h")), verdict: /link \/h \/h: no such file or directory/ },
  {
    name: "a hard link to a directory",
    layer: tar(directory("d/"), hardLink("h", "d")),
    verdict: /link \/d \/h: operation not permitted$/,
  },
  {
    name: "a hard link through a symlink out",
    layer: tar(symlink("l", "/etc"), hardLink("h", "l/passwd")),
    verdict: /no such file or directory/,
  },
  {
    name: "hard links with a size",
    layer: tar(file("a", "0123456789"), rawHeader({ name: "h", type: "1", linkname: "a", size: 10 }), file("b")),
    verdict: kept,
  },
  {
    name: "symlinks, directories and fifos with a size",
    layer: tar(
      rawHeader({ name: "s", type: "2", linkname: "a", size: 10 }),
      rawHeader({ name: "d/", type: "5", size: 4096 }),
      rawHeader({ name: "f", type: "6", size: 1 }),
    ),
    verdict: kept,
  },
  {
    name: "a symlink to nothing named",
    layer: tar(symlink("s", "")),
    verdict: /symlink \/s: no such file or directory/,
  },

  // Special files.
  { name: "a fifo", layer: tar(rawEntry({ name: "f", type: "6" })), verdict: kept },
  {
    name: "content for a fifo",
    layer: tar(rawEntry({ name: "f", type: "6" }), directory("d/"), symlink("l", "../f"), file("l/x")),
    verdict: /not a directory/,
  },
  {
    name: "devices",
    layer: tar(
      rawEntry({ name: "null", type: "3", edit: device(1, 3) }),
      rawEntry({ name: "sda", type: "4", edit: device(8, 0) }),
    ),
    verdict: kept,
  },
  { name: "a device 0:0", layer: tar(rawEntry({ name: "zero", type: "3", edit: device(0, 0) })), verdict: kept },
  {
    name: "a device out of all bounds",
    layer: tar(rawEntry({ name: "big", type: "3", edit: device(2_000_000, 2_000_000) })),
    verdict: kept,
  },

  // Whiteouts.
  { name: "a whiteout with content", layer: tar(file(".wh.a"), file("d/.wh.b", "x".repeat(5000))), verdict: kept },
  {
    name: "an opaque mark with content",
    layer: tar(directory("d/"), file("d/.wh..wh..opq"), file("d/f")),
    verdict: kept,
  },
  { name: "an opaque mark behind content", layer: tar(file("d/f"), file("d/.wh..wh..opq", "")), verdict: kept },
  {
    name: "a file and then its whiteout",
    layer: tar(file("x"), file(".wh.x", "")),
    verdict: { overlay2: /file exists/i, vfs: /content could then not be saved again/, rootless: kept },
  },
  {
    name: "an empty file and then its whiteout",
    layer: tar(file("x", ""), file(".wh.x", "")),
    verdict: { overlay2: /file exists/i, vfs: kept, rootless: kept },
  },
  { name: "a whiteout and then the file", layer: tar(file(".wh.x", ""), file("x")), verdict: kept },
  {
    name: "a whiteout of nothing named",
    layer: tar(file(".wh.", "")),
    verdict: { overlay2: /file exists/i, vfs: /would delete the root directory/, rootless: kept },
  },
  {
    name: "a whiteout of the directory itself",
    layer: tar(file("d/.wh..", "")),
    verdict: { overlay2: /file exists/, vfs: kept, rootless: kept },
  },
  {
    name: "a whiteout of the directory above",
    layer: tar(file("d/e/.wh...", "")),
    verdict: { overlay2: /file exists/, vfs: kept, rootless: kept },
  },
  { name: "a whiteout that is a directory", layer: tar(directory(".wh.d/"), file(".wh.d/f")), verdict: kept },
  {
    name: "whiteouts that are links",
    layer: tar(file("a"), symlink(".wh.s", "/etc/passwd"), hardLink(".wh.h", "a")),
    verdict: kept,
  },
  {
    name: "AUFS' hard link store",
    layer: tar(directory(".wh..wh.plnk/"), file(".wh..wh.plnk/1.2"), hardLink("h", ".wh..wh.plnk/1.2")),
    verdict: kept,
  },
  {
    name: "a link to nothing in AUFS' store",
    layer: tar(hardLink("h", ".wh..wh.plnk/9")),
    verdict: /Invalid aufs hardlink|no such file/,
  },
  { name: "AUFS' notes with content", layer: tar(file(".wh..wh.aufs"), directory(".wh..wh.orph/")), verdict: kept },
  {
    name: "a whiteout through a symlink",
    layer: tar(symlink("l", "/etc"), file("l/.wh.passwd", "")),
    verdict: { overlay2: /no such file or directory/, vfs: kept, rootless: /no such file or directory/ },
  },
];

function gnuLong(type: "L" | "K", text: string): Buffer {
  return rawEntry({ name: "././@LongLink", type, magic: "ustar  \0" }, `${text}\0`);
}

function oldSparse(name: string): Buffer {
  const edit = (block: Buffer): void => {
    block.write("00000000000\x0000000001000\x00", 386, "latin1");
    block.write("00000200000\x00", 483, "latin1");
  };
  return rawEntry({ name, type: "S", magic: "ustar  \0", edit }, Buffer.alloc(512, "A"));
}

function device(major: number, minor: number): (block: Buffer) => void {
  return (block) => {
    block.write(`${major.toString(8).padStart(7, "0")}\0${minor.toString(8).padStart(7, "0")}\0`, 329, "latin1");
  };
}
