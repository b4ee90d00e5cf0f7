import { execFileSync, spawnSync } from "node:child_process";
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromText } from "../../src/sys/byte-string.ts";
import { END_OF_ARCHIVE, encodeHeader, newHeader, paddingOf, TYPE } from "../../src/tar/index.ts";
import { takeApart } from "./take-apart.ts";

const { status, stdout } = spawnSync("tar", ["--version"], { encoding: "utf8" });
const hasTar = status === 0 && stdout.includes("GNU tar");

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-gnu-tar-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

describe.skipIf(!hasTar)(hasTar ? "GNU tar" : "GNU tar (skipped: it is not there)", () => {
  const plain = ["v7", "oldgnu", "gnu", "ustar", "posix"].map((format) => `--format=${format}`);
  const sparse = ["0.0", "0.1", "1.0"].map((version) => `--format=posix --sparse --sparse-version=${version}`);

  test.each([...plain, ...sparse, "--format=gnu --sparse"])(
    "makes what is joined to the same bytes (%s)",
    (options) => {
      const tree = join(directory, options.replaceAll(" ", ""));
      const longest = { "--format=v7": 80, "--format=ustar": 90 }[options] ?? 200;
      mkdirSync(join(tree, "sub"), { recursive: true });
      writeFileSync(join(tree, "sub", "file"), "content");
      writeFileSync(join(tree, "n".repeat(longest)), "long");
      writeSparseFile(join(tree, "holes"));

      const tar = execFileSync("tar", [...options.split(" "), "-C", tree, "-c", "."], { maxBuffer: 1 << 26 });
      const { headers, joined, contents } = takeApart(tar);
      expect(joined.equals(tar)).toBe(true);
      expect(headers.map(({ name }) => name).sort()).toEqual(
        ["./", "./holes", `./${"n".repeat(longest)}`, "./sub/", "./sub/file"].sort(),
      );
      const holes = headers.find(({ name }) => name === "./holes")!;
      const content = contents.get(holes.name)!.map((part) => (typeof part === "number" ? Buffer.alloc(part) : part));
      expect(Buffer.concat(content).equals(readFileSync(join(tree, "holes")))).toBe(true);
      expect(holes.sparse !== undefined).toBe(options.includes("--sparse"));
    },
  );

  test("reads what is written here", () => {
    const time = { seconds: 1350244992, nanoseconds: 23960108 };
    const long = "d".repeat(160);
    const path = join(directory, "written.tar");
    writeFileSync(
      path,
      Buffer.concat([
        encodeHeader(newHeader({ name: fromText(`${long}/`), type: TYPE.directory, mode: 0o755, mtime: time })),
        encodeHeader(
          newHeader({ name: fromText(`${long}/ä`), size: 5, uid: 3000000, gid: 7, mode: 0o4755, mtime: time }),
        ),
        Buffer.from("hello"),
        paddingOf(5),
        encodeHeader(newHeader({ name: fromText("l"), type: TYPE.symlink, linkname: fromText("t".repeat(120)) })),
        encodeHeader(newHeader({ name: fromText("null"), type: TYPE.charDevice, deviceMajor: 1, deviceMinor: 3 })),
        END_OF_ARCHIVE,
      ]),
    );
    const env = { ...process.env, TZ: "UTC", LC_ALL: "C.UTF-8" };
    const list = execFileSync("tar", ["--full-time", "--numeric-owner", "-tvf", path], { encoding: "utf8", env });
    expect(list.replace(/ +/g, " ").trim().split("\n")).toEqual([
      `drwxr-xr-x 0/0 0 2012-10-14 20:03:12.023960108 ${long}/`,
      `-rwsr-xr-x 3000000/7 5 2012-10-14 20:03:12.023960108 ${long}/ä`,
      `l--------- 0/0 0 1970-01-01 00:00:00 l -> ${"t".repeat(120)}`,
      "c--------- 0/0 1,3 1970-01-01 00:00:00 null",
    ]);
    expect(execFileSync("tar", ["-xOf", path, `${long}/ä`], { encoding: "utf8", env })).toBe("hello");
  });
});

function writeSparseFile(path: string): void {
  const fd = openSync(path, "w");
  for (let i = 0; i < 40; i++) writeSync(fd, "data", i * 65536);
  closeSync(fd);
  truncateSync(path, 40 * 65536);
}
