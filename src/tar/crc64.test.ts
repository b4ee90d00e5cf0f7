import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Crc64 } from "./crc64.ts";

describe("CRC-64/GO-ISO", () => {
  // FORMATS 9.1.
  test.each([
    ["123456789", "b90956c775a41001"],
    ["hello\n", "614c3eeee2d81000"],
    ["x", "2310000000000000"],
    ["", "0000000000000000"],
  ])("of %j is %s", (text, sum) => {
    const crc = new Crc64();
    crc.update(Buffer.from(text));
    expect(crc.digest().toString("hex")).toBe(sum);
  });

  test("is the remainder that division bit by bit gives, however the bytes are cut and wherever they lie", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 70 })), fc.nat(7), (chunks, shift) => {
        const crc = new Crc64();
        for (const chunk of chunks) crc.update(Buffer.concat([Buffer.alloc(shift), chunk]).subarray(shift));
        expect(crc.digest()).toEqual(divideBitByBit(Buffer.concat(chunks)));
        crc.reset();
        expect(crc.digest().readBigUInt64BE()).toBe(0n);
      }),
    );
  });
});

function divideBitByBit(bytes: Uint8Array): Buffer {
  let remainder = 0xffffffffffffffffn;
  for (const byte of bytes) {
    remainder ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) remainder = (remainder >> 1n) ^ (remainder & 1n ? 0xd800000000000000n : 0n);
  }
  const sum = Buffer.alloc(8);
  sum.writeBigUInt64BE(remainder ^ 0xffffffffffffffffn);
  return sum;
}
