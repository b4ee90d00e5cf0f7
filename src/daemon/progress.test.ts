import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { MessageStream } from "./progress.ts";

/** A stream at a time that the test sets. */
function stream(highWaterMark = 1 << 20): {
  messages: MessageStream;
  clock: { now: number };
  output: PassThrough;
  said(): string[];
} {
  const clock = { now: 0 };
  const output = new PassThrough({ highWaterMark });
  const said = (): string[] => {
    const text = (output.read() as Buffer | null)?.toString() ?? "";
    expect(text === "" || text.endsWith("\r\n")).toBe(true);
    return text.split("\r\n").slice(0, -1);
  };
  return { messages: new MessageStream(output, () => clock.now), clock, output, said };
}

describe("messages", () => {
  test("are written as dockerd writes them", () => {
    const { messages, said } = stream();
    messages.status("sha256:12");
    messages.text("Loaded image: tiny:1\n");
    messages.progress("41692063a993", "Loading layer", 32768, 1996800);
    messages.failure(new VarveError("invalid-archive", "a <b> & c"));
    expect(said()).toEqual([
      '{"status":"sha256:12"}',
      '{"stream":"Loaded image: tiny:1\\n"}',
      '{"status":"Loading layer","progressDetail":{"current":32768,"total":1996800},"progress":"[\\u003e                                                  ]  32.77kB/1.997MB","id":"41692063a993"}',
      '{"errorDetail":{"message":"a \\u003cb\\u003e \\u0026 c"},"error":"a \\u003cb\\u003e \\u0026 c"}',
    ]);
  });

  test("tell nothing of the inside of a bug", () => {
    const { messages, said } = stream();
    messages.failure(new TypeError("secret is not a function"));
    expect(said().join()).not.toContain("secret");
  });
});

describe("progress", () => {
  const currents = (lines: readonly string[]): number[] =>
    lines.map((line) => JSON.parse(line).progressDetail.current as number);

  test("comes neither too often nor for too little, but its end always", () => {
    const { messages, clock, said } = stream();
    const total = 200_000_000;
    for (let current = 65_536; current < total; current += 65_536) {
      messages.progress("layer", "Loading layer", current, total);
      clock.now += 1;
    }
    messages.progress("layer", "Loading layer", total, total);
    messages.progress("layer", "Loading layer", total, total);
    const told = currents(said());
    expect(told[0]).toBe(65_536);
    expect(told.slice(-2)).toEqual([total, total]);
    expect(told.length).toBe(Math.ceil(clock.now / 100) + 2);
  });

  test("of small things is told by the hundredth, and of unknown ones by half a mebibyte", () => {
    const { messages, clock, said } = stream();
    for (let current = 1; current <= 1000; current++, clock.now += 100) messages.progress("a", "x", current, 1000);
    expect(currents(said())).toEqual([...Array.from({ length: 91 }, (_, i) => 1 + 11 * i), 1000]);
    for (let i = 1; i <= 10; i++, clock.now += 100) messages.progress("b", "x", i * 262_144, 0);
    expect(currents(said())).toEqual([1, 4, 7, 10].map((i) => i * 262_144));
  });

  test("is dropped for a client that does not read, but what must be said is not", () => {
    const { messages, clock, output, said } = stream(1024);
    for (let current = 1; current <= 100_000; current++, clock.now += 100)
      messages.progress("a", "x", current, 100_000_000);
    messages.text("done\n");
    expect(output.readableLength + output.writableLength).toBeLessThan(8192);
    expect(said().at(-1)).toBe('{"stream":"done\\n"}');
  });
});
