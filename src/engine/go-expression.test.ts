import fc from "fast-check";
import { expect, test } from "vitest";
import { readExpression } from "./go-expression.ts";

test.each([
  ["ri", "rich", true],
  ["^ri", "rich", true],
  ["^ri$", "rich", false],
  ["^/?rich$", "/rich", true],
  ["r.*h|x", "rich", true],
  ["(?i)RICH", "rich", true],
  ["\\pL{4}", "rich", true],
  ["(", "(", false],
  ["a(?=b)", "ab", false], // Go knows no looking ahead
  ["\\Qr.\\E", "rich", false],
  ["", "rich", true],
])("%j in %j: %j", (expression, text, expected) => {
  expect(readExpression(expression)(text)).toBe(expected);
});

test("an expression that others would think about for ever is answered", () => {
  expect(readExpression("^(a+)+$")("a".repeat(60))).toBe(true);
  expect(readExpression("^(a+)+$")(`${"a".repeat(60)}b`)).toBe(false);
  expect(readExpression("((a{100}){100}){100}")("a")).toBe(false);
});

test("whatever is asked for makes no error", () => {
  const source = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."()[]{}*+?|\\^$.aPp1,-:=!<>") }));
  fc.assert(fc.property(source, fc.string(), (expression, text) => void readExpression(expression)(text)));
});
