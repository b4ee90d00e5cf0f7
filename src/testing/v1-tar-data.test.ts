import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { tarOf } from "./tar-entries.ts";
import { entriesOf, tarDataOf } from "./v1-tar-data.ts";

interface Line {
  readonly type: number;
  readonly name?: string;
  readonly name_raw?: string;
  readonly size?: number;
  readonly payload: string | null;
  readonly position: number;
}

const textOf = (tar: Buffer): string => gunzipSync(tarDataOf(tar)).toString();
const linesOf = (tar: Buffer): Line[] =>
  textOf(tar)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("the record of a fixture's layer", () => {
  test("has the sums of FORMATS 9.1", () => {
    const contents = ["123456789", "hello\n", "x"];
    const tar = tarOf(contents.map((content, i) => ({ name: `${i}`, content })));
    const sums = linesOf(tar).flatMap(({ type, payload }) =>
      type === 1 ? [Buffer.from(payload!, "base64").toString("hex")] : [],
    );
    expect(sums).toEqual(["b90956c775a41001", "614c3eeee2d81000", "2310000000000000"]);
  });

  test("cuts the tar where dockerd does: padding goes with the headers after it", () => {
    const lines = linesOf(tarOf([{ name: "a", content: "hello\n" }, { name: "d/" }]));
    const lengths = lines.map(({ type, size = 0, payload }) =>
      type === 1 ? -size : Buffer.from(payload!, "base64").length,
    );
    expect(lengths).toEqual([512, -6, 1018, -0, 1024, 0]);
    expect(lines.map(({ position }) => position)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  test("writes names as Go does, and those that are no UTF-8 in base64", () => {
    const text = textOf(tarOf([{ name: "a&b<c>" }, { name: "\xff" }, { name: "\xc3\xa4" }]));
    expect(text).toContain('{"type":1,"name":"a\\u0026b\\u003cc\\u003e","payload":null,"position":1}\n');
    expect(text).toContain('{"type":1,"name_raw":"/w==","payload":null,"position":3}\n');
    expect(text).toContain('{"type":1,"name":"ä","payload":null,"position":5}\n');
  });

  test("together with the contents gives the tar back", () => {
    const long = `${"long/".repeat(60)}name`;
    const entries = [
      { name: "d/" },
      { name: long, content: "1".repeat(1000) },
      { name: "d/x", content: "22", xattrs: { "user.a": "b" } },
      { name: "link", type: "1", linkname: "d/x" },
    ];
    const tar = Buffer.concat([tarOf(entries), Buffer.alloc(3000), Buffer.from("rest")]);
    const contents = new Map(entries.map(({ name, content = "" }) => [name, content]));
    const parts = linesOf(tar).map(({ type, name, payload }) =>
      type === 1 ? Buffer.from(contents.get(name!)!) : Buffer.from(payload!, "base64"),
    );
    expect(Buffer.concat(parts).equals(tar)).toBe(true);
    expect(entriesOf(tar).map(({ name }) => name)).toEqual(entries.map(({ name }) => name));
  });
});
