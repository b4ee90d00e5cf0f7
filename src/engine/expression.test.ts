import { expect, test } from "vitest";
import { textsMatching } from "./expression.ts";

const texts = ["web", "web-1", "/web-1", "db"];

test("an expression matches what it is equal to, is in, or describes", () => {
  for (const [expression, expected] of [
    ["web", ["web", "web-1", "/web-1"]],
    ["^web-1$", ["web-1"]],
    ["^/?web-[0-9]$", ["web-1", "/web-1"]],
    ["d.", ["db"]],
    ["", texts],
    ["(", []],
  ] as const)
    expect([...textsMatching(expression, texts)], expression).toEqual(expected);
  expect([...textsMatching("a[", ["a[", "a"])]).toEqual(["a["]);
});

test("many texts are matched in one go, and one that takes for ever costs as much as many", () => {
  const many = Array.from({ length: 20_000 }, (_, at) => `name-${at}`);
  expect([...textsMatching("^name-(7|19999)$", many)]).toEqual(["name-7", "name-19999"]);
  const endless = Array.from({ length: 1000 }, (_, at) => `${"a".repeat(60)}${at}!`);
  expect([...textsMatching("^(a+)+$", [...endless, "^(a+)+$"])]).toEqual(["^(a+)+$"]);
});
