import fc from "fast-check";
import { expect, test } from "vitest";
import { isVarveError, VarveError } from "../errors.ts";
import type { ByteSource } from "../io/byte-source.ts";
import { type Frame, readFrames, writeFailure, writeFrame } from "./frames.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const frame: fc.Arbitrary<Frame> = fc.oneof(
  bytes.map((content): Frame => ({ kind: "bytes", bytes: content })),
  fc.jsonValue().map((value): Frame => ({ kind: "item", value })),
  fc.tuple(fc.string(), fc.jsonValue()).map(([name, event]): Frame => ({ kind: "told", name, event })),
);
const result: Frame = { kind: "result", value: 7n };

async function* cut(content: Uint8Array, sizes: readonly number[]): ByteSource {
  let at = 0;
  for (const size of sizes) {
    yield content.subarray(at, at + size);
    at += size;
  }
  yield content.subarray(at);
}

/** With bytes that follow one another as one, since they may come in any pieces. */
async function read(source: ByteSource): Promise<Frame[]> {
  const frames: Frame[] = [];
  for await (const next of readFrames(source)) {
    const last = frames.at(-1);
    if (next.kind === "bytes" && last?.kind === "bytes")
      frames.splice(-1, 1, { kind: "bytes", bytes: Buffer.concat([last.bytes, next.bytes]) });
    else frames.push(next.kind === "bytes" ? { kind: "bytes", bytes: Buffer.from(next.bytes) } : next);
  }
  return frames;
}

const whole = (frames: readonly Frame[]): Buffer => Buffer.concat(frames.map(writeFrame));

test("an answer is the same however it is cut into pieces", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame), fc.array(fc.nat(40)), async (frames, sizes) => {
      const answer = whole([...frames, result]);
      expect(await read(cut(answer, sizes))).toEqual(await read(cut(answer, [])));
      const told = frames.filter(({ kind }) => kind !== "bytes");
      expect((await read(cut(answer, sizes))).filter(({ kind }) => kind !== "bytes")).toEqual([...told, result]);
      const content = (all: readonly Frame[]): Buffer =>
        Buffer.concat(all.flatMap((one) => (one.kind === "bytes" ? [one.bytes] : [])));
      expect(content(await read(cut(answer, sizes))).equals(content(frames))).toBe(true);
    }),
  );
});

test("an answer that is cut off never passes for a whole one", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(frame), fc.nat(), async (frames, at) => {
      const answer = whole([...frames, result]);
      const error = await read(cut(answer.subarray(0, at % answer.length), [])).catch((thrown: unknown) => thrown);
      expect(isVarveError(error, "unavailable")).toBe(true);
    }),
  );
});

test("an error at the end comes out as it was, after all that came before it", async () => {
  const failure = new VarveError("corrupt", "bad layer", { layer: 3 });
  const seen: Frame[] = [];
  const reading = async (): Promise<void> => {
    for await (const next of readFrames(
      cut(Buffer.concat([whole([{ kind: "item", value: 1 }]), writeFailure(failure)]), []),
    ))
      seen.push(next);
  };
  await expect(reading()).rejects.toEqual(failure);
  expect(seen).toEqual([{ kind: "item", value: 1 }]);
});

test("what is no answer is an error with a code", async () => {
  const anything = fc.oneof(
    bytes,
    fc.tuple(fc.array(frame), bytes).map(([frames, rest]) => Buffer.concat([whole(frames), rest])),
    fc.tuple(fc.array(frame), bytes).map(([frames, rest]) => Buffer.concat([whole([...frames, result]), rest])),
  );
  await fc.assert(
    fc.asyncProperty(anything, fc.array(fc.nat(20)), async (content, sizes) => {
      const error = await read(cut(content, sizes)).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      if (error !== undefined) expect(isVarveError(error), String(error)).toBe(true);
    }),
  );
});

test.each([
  ["a letter that is none", Buffer.from("x\0\0\0\0")],
  ["a document that is too long", Buffer.from("r\xff\xff\xff\xff", "latin1")],
  ["a document that is none", Buffer.from("r\0\0\0\x01{")],
  ["a failure that is no error", Buffer.from("f\0\0\0\x011")],
  ["a message to nobody", Buffer.from("t\0\0\0\x011")],
  ["more after the end", Buffer.concat([writeFrame(result), writeFrame(result)])],
])("%s is not understood", async (_, content) => {
  await expect(read(cut(content, []))).rejects.toMatchObject({ code: "unsupported" });
});
