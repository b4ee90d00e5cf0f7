import { describe, expect, test } from "vitest";
import { VarveError } from "../errors.ts";
import { reportFailure } from "./report.ts";
import { UsageError } from "./usage-error.ts";

describe("a failure is told", () => {
  test("in one line, whatever a name put into its message", () => {
    const error = new VarveError("invalid-archive", "bad name \x1b[31mred\nline\x07");
    expect(reportFailure(error)).toEqual({ lines: ["varve: bad name \\x1b[31mred line\\x07"], exitCode: 1 });
  });

  test("with what to do, unless the message says it", () => {
    expect(reportFailure(new VarveError("no-space", "write: no space left on device")).lines).toEqual([
      "varve: write: no space left on device. Free some space, or choose another disk.",
    ]);
    expect(reportFailure(new VarveError("permission", "mounting needs root")).lines).toEqual([
      "varve: mounting needs root",
    ]);
    const used = (message: string): readonly string[] => reportFailure(new VarveError("in-use", message)).lines;
    expect(used("mount still active")).toEqual(["varve: mount still active. Unmount it with 'varve umount' first."]);
    expect(used("EBUSY: resource busy or locked, rmdir '/x'")[0]).toMatch(/Unmount it/);
    expect(used("image a has come across: its tree is that of a layer of today")[0]).toMatch(/of today$/);
    expect(reportFailure(new VarveError("not-found", "No such image: load:latest")).lines).toEqual([
      "varve: No such image: load:latest. 'varve images' lists what there is.",
    ]);
    const name = new VarveError("invalid-reference", "repository name must be lowercase", { text: "UPPER" });
    expect(reportFailure(name).lines).toEqual([
      'varve: "UPPER" is not a valid repository/tag: repository name must be lowercase',
    ]);
    expect(reportFailure(new VarveError("invalid-reference", "invalid reference format", { text: "" })).lines).toEqual([
      'varve: "" is not a valid repository/tag: invalid reference format',
    ]);
    expect(reportFailure(new UsageError("varve images", "unknown option '-x'"))).toEqual({
      lines: ["varve: unknown option '-x'. See 'varve images --help'."],
      exitCode: 125,
    });
  });

  test("with a way out for an archive that was not copied to its end, and without the middle of an endless name", () => {
    const cut = new VarveError("invalid-archive", "a.tar: invalid archive: it is cut short (unexpected EOF)");
    expect(reportFailure(cut).lines).toEqual([
      "varve: a.tar: invalid archive: it is cut short (unexpected EOF). Copy it again, or make it anew.",
    ]);
    const long = new VarveError("invalid-archive", `open /${"n".repeat(1_000_000)}: file name too long`);
    expect(reportFailure(long).lines[0]).toMatch(/^varve: open \/n{594}…n+: file name too long$/);
    expect(reportFailure(long).lines[0]!.length).toBeLessThan(1000);
  });

  test("a line each where there were several", () => {
    const several = new AggregateError([new VarveError("not-found", "a"), new VarveError("conflict", "b")]);
    expect(reportFailure(several)).toEqual({ lines: ["varve: a", "varve: b"], exitCode: 1 });
  });

  test("as a bug of ours when it has no code", () => {
    expect(reportFailure(new TypeError("x is not a function")).lines[0]).toMatch(
      /^varve: this is a bug in varve: x is not/,
    );
    expect(
      reportFailure(Object.assign(new Error("EACCES: open"), { code: "EACCES", syscall: "open" })).lines[0],
    ).toMatch(/^varve: EACCES: open\. Run it as root/);
  });
});
