import { describe, expect, test } from "vitest";
import { imageFilters, pruneFilters } from "./filters.ts";

describe("filters", () => {
  test("are collected by name; of those with one value the last counts", () => {
    expect(imageFilters(["label=a=b", "Label = c", "dangling=true", "dangling=0", "since=x", "reference=a*"])).toEqual({
      label: ["a=b", "c"],
      dangling: false,
      since: "x",
      reference: ["a*"],
    });
    expect(imageFilters()).toEqual({});
    expect(pruneFilters(["label!=keep", "until=24h"])).toEqual({ "label!": ["keep"], until: "24h" });
  });

  test.each([
    ["foo", 'invalid filter "foo": bad format of filter (expected name=value)'],
    ["foo=bar", "Invalid filter 'foo' (there are dangling, label, before, since, reference, until)"],
    ["dangling=maybe", "Invalid filter 'dangling=maybe' (it is true or false)"],
  ])("%s is refused", (text, message) => {
    expect(() => imageFilters([text])).toThrow(message);
  });
});
