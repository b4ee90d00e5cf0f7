import { describe, expect, test } from "vitest";
import { splitCopyArgument, targetPaths } from "./target-path.ts";

describe("a target and its paths", () => {
  test.each([
    [["nginx:1.27:/etc"], [{ target: "nginx:1.27", path: "/etc" }]],
    [["reg:5000/a/b:c:/"], [{ target: "reg:5000/a/b:c", path: "/" }]],
    [
      ["web", "/etc", "tmp"],
      [
        { target: "web", path: "/etc" },
        { target: "web", path: "tmp" },
      ],
    ],
    [
      ["web:/etc", "/tmp", "db:/x"],
      [
        { target: "web", path: "/etc" },
        { target: "web", path: "/tmp" },
        { target: "db", path: "/x" },
      ],
    ],
    [["a@sha256:00:/f:/g"], [{ target: "a@sha256:00", path: "/f:/g" }]],
  ])("%j", (args, expected) => {
    expect(targetPaths(args)).toEqual(expected);
  });

  test("alone mean the default path", () => {
    expect(targetPaths(["reg:5000/a"], "/")).toEqual([{ target: "reg:5000/a", path: "/" }]);
    expect(targetPaths(["web"])).toEqual([]);
  });
});

describe("an argument of cp", () => {
  test.each([
    ["web:/etc", { target: "web", path: "/etc" }],
    ["nginx:1.27:/etc", { target: "nginx:1.27", path: "/etc" }],
    ["web:etc/x", { target: "web", path: "etc/x" }],
    ["web:", { target: "web", path: "" }],
    ["/a:/b", undefined],
    ["./a:/b", undefined],
    ["../web:x", undefined],
    [".hidden:x", undefined],
    ["file", undefined],
    ["-", undefined],
    [":/x", undefined],
  ])("%s", (text, expected) => {
    expect(splitCopyArgument(text)).toEqual(expected);
  });
});
