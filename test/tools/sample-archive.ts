import { createHash, randomFillSync } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";
import { encodeHeader, fromText, newHeader, paddingOf } from "../../src/tar/index.ts";

/** One file of a sample layer: its name and how many bytes of noise it has. */
export type SampleFile = readonly [name: string, size: number];

/**
 * Writes a docker archive whose layers are made of noise, of any size, with bounded memory.
 *
 * @returns the image's id
 */
export function writeSampleArchive(path: string, tag: string, layers: readonly (readonly SampleFile[])[]): string {
  const fd = openSync(path, "w");
  const noise = randomFillSync(Buffer.alloc(1 << 20));
  const write = (bytes: Uint8Array): void => void writeSync(fd, bytes);
  const member = (name: string, content: Buffer): void => {
    write(headerOf(name, content.length));
    write(content);
    write(paddingOf(content.length));
  };
  try {
    const diffIDs = layers.map((files, i) => {
      const size = files.reduce((sum, [, length]) => sum + 512 + Math.ceil(length / 512) * 512, 1024);
      write(headerOf(`${i}.tar`, size));
      const hash = createHash("sha256");
      for (const piece of layerBytes(files, noise)) {
        hash.update(piece);
        write(piece);
      }
      return `sha256:${hash.digest("hex")}`;
    });
    const config = Buffer.from(
      JSON.stringify({
        architecture: "amd64",
        os: "linux",
        created: "2026-01-01T00:00:00Z",
        config: { Cmd: ["/bin/sh"] },
        rootfs: { type: "layers", diff_ids: diffIDs },
        history: layers.map((_, i) => ({ created: "2026-01-01T00:00:00Z", created_by: `layer ${i}` })),
      }),
    );
    const id = createHash("sha256").update(config).digest("hex");
    member(`${id}.json`, config);
    const item = { Config: `${id}.json`, RepoTags: [tag], Layers: layers.map((_, i) => `${i}.tar`) };
    member("manifest.json", Buffer.from(JSON.stringify([item])));
    write(Buffer.alloc(1024));
    return `sha256:${id}`;
  } finally {
    closeSync(fd);
  }
}

function* layerBytes(files: readonly SampleFile[], noise: Buffer): Generator<Buffer> {
  for (const [name, size] of files) {
    yield headerOf(name, size);
    for (let left = size; left > 0; left -= noise.length) yield noise.subarray(0, Math.min(left, noise.length));
    yield Buffer.from(paddingOf(size));
  }
  yield Buffer.alloc(1024);
}

function headerOf(name: string, size: number): Buffer {
  return encodeHeader(
    newHeader({ name: fromText(name), mode: 0o644, size, mtime: { seconds: 1_700_000_000, nanoseconds: 0 } }),
  );
}
