import { mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ByteString } from "../../src/sys/byte-string.ts";
import { Assembler, Disassembler, type EntrySink, type Header, parseSplitLine } from "../../src/tar/index.ts";

export interface TakenApart {
  readonly lines: string[];
  readonly headers: Header[];
  /** What the tree was given, holes as their length. */
  readonly contents: ReadonlyMap<ByteString, readonly (Buffer | number)[]>;
  /** The tar again, out of the lines and the contents. */
  readonly joined: Buffer;
}

/** Sends a tar through tar-split and back. */
export function takeApart(tar: Buffer): TakenApart {
  const lines: string[] = [];
  const headers: Header[] = [];
  const contents = new Map<ByteString, (Buffer | number)[]>();
  let content: (Buffer | number)[] = [];
  const tree: EntrySink = {
    entry(header) {
      headers.push(header);
      content = [];
      contents.set(header.name, content);
      return "tree";
    },
    data: (bytes) => void content.push(Buffer.from(bytes)),
    hole: (length) => void content.push(length),
    entryEnd() {},
  };
  const disassembler = new Disassembler({ line: (text) => void lines.push(text), tree });
  for (let at = 0; at < tar.length; at += 1000) disassembler.write(tar.subarray(at, at + 1000));
  disassembler.end();
  return {
    lines,
    headers,
    contents,
    joined: joinAgain(lines, (name) => Buffer.concat(contents.get(name)! as Buffer[])),
  };
}

function joinAgain(lines: readonly string[], contentOf: (name: ByteString) => Buffer): Buffer {
  const directory = mkdtempSync(join(tmpdir(), "varve-take-apart-"));
  try {
    const path = join(directory, "payload");
    const open = (name: ByteString): number => {
      writeFileSync(path, contentOf(name));
      return openSync(path, "r");
    };
    const assembler = new Assembler({ open });
    const joined: Buffer[] = [];
    for (const chunk of assembler.add(lines.map(parseSplitLine))) joined.push(Buffer.from(chunk));
    for (const chunk of assembler.end()) joined.push(Buffer.from(chunk));
    return Buffer.concat(joined);
  } finally {
    rmSync(directory, { recursive: true });
  }
}
