import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { writeSampleArchive } from "../tools/sample-archive.ts";
import { PackedPackage } from "./packed-package.ts";
import { unreachableTypes } from "./signatures.ts";

/** The package as a stranger has it, who installed what npm packs and knows nothing else of Varve. */
const QUICKSTART = join(import.meta.dirname, "../../examples/quickstart.tar");
const STRANGER = join(import.meta.dirname, "stranger.ts");
const IMPLEMENTER = join(import.meta.dirname, "implementer.ts");
const NOBODY = 65_534;

let installed: PackedPackage;
let scratch: string;
beforeAll(() => {
  installed = new PackedPackage();
  scratch = mkdtempSync(join(tmpdir(), "varve-library-"));
  chmodSync(scratch, 0o755);
});
afterAll(() => {
  installed?.[Symbol.dispose]();
  if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true });
});

/** Runs Node in the stranger's application. @returns what it printed */
function node(args: readonly string[], user?: number): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, {
    cwd: installed.directory,
    encoding: "utf8",
    ...(user === undefined ? {} : { uid: user, gid: user }),
  });
  expect(status, stdout + stderr).toBe(0);
  return stdout;
}

describe("the package", () => {
  test("has what its manifest points to, and neither tests nor sources", () => {
    const paths = installed.files.map(({ path }) => path);
    const { exports, bin } = installed.manifest;
    expect(Object.keys(exports)).toEqual([".", "./tar", "./driver", "./testing"]);
    const targets = [...Object.values(exports).flatMap((target) => Object.values(target)), ...Object.values(bin)];
    for (const target of targets) expect(paths).toContain(posix.normalize(target));
    for (const page of ["README.md", "LICENSE", "CHANGELOG.md", "package.json"]) expect(paths).toContain(page);
    const code = paths.filter((path) => /\.[jt]s$/.test(path));
    expect(code.length).toBeGreaterThan(300);
    expect(code.filter((path) => !path.startsWith("dist/"))).toEqual([]);
    expect(paths.filter((path) => /\.test\.|\.map$|(?<!\.d)\.ts$/.test(path))).toEqual([]);
  });

  test("has a command that runs as it is", () => {
    const [path] = Object.values(installed.manifest.bin) as [string];
    expect(installed.files.find((file) => file.path === path)?.mode).toBe(0o755);
    const command = join(installed.path, path);
    expect(spawnSync(command, ["--version"], { encoding: "utf8" }).stdout).toMatch(/^varve version \d/);
  });

  test("has a command that gets all its arguments, of which node takes none", () => {
    const command = join(installed.path, (Object.values(installed.manifest.bin) as [string])[0]);
    const root = join(scratch, "no-root");
    const given = ["--root", root, "create", "--env-file", join(scratch, "no such file"), "image"];
    const { status, stderr } = spawnSync(command, given, { encoding: "utf8" });
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/^varve: .*no such file/) });
  });

  test("loads no engine and nothing native before a store is opened", () => {
    const report = join(scratch, "loaded");
    installed.write(
      "hooks.js",
      `import { appendFileSync } from "node:fs";
      export function load(url, context, next) {
        appendFileSync(${JSON.stringify(report)}, url + "\\n");
        return next(url, context);
      }`,
    );
    installed.write("register.js", 'import { register } from "node:module"; register("./hooks.js", import.meta.url);');
    installed.write(
      "lazy.js",
      `process.report.excludeNetwork = true;
      const hasKoffi = () => process.report.getReport().sharedObjects.some((path) => path.includes("koffi"));
      const { openStore } = await import("varve");
      await import("varve/tar");
      await import("varve/driver");
      const before = hasKoffi();
      console.log("opening");
      await (await openStore({ root: ${JSON.stringify(join(scratch, "lazy"))} })).load(${JSON.stringify(QUICKSTART)});
      console.log(before, hasKoffi());`,
    );
    expect(node(["--import", "./register.js", "lazy.js"])).toBe("opening\nfalse true\n");
    const files = readFileSync(report, "utf8").split("\n");
    const modules = files.filter((url) => url.includes("/varve/dist/")).map((url) => url.split("/varve/dist/")[1]!);
    const engine = modules.findIndex((path) => path.startsWith("engine/store."));
    expect(engine).toBeGreaterThan(0);
    expect(modules.slice(0, engine).filter((path) => /^(archive|layer|image|cli)\//.test(path))).toEqual([]);
  });

  test("exports every type that its exported declarations speak of", () => {
    const entries = Object.values(installed.manifest.exports).map(({ types }) => join(installed.path, types));
    expect(unreachableTypes(entries)).toEqual([]);
    // The suites of `varve/testing` speak of drivers, which come from `varve/driver`.
    expect(unreachableTypes(entries.slice(-1))).toContain("DriverUnderTest speaks of DriverOptions");
  });
});

describe("types", () => {
  beforeAll(() => {
    for (const name of ["@types/node", "vitest", "fast-check"]) installed.install(name);
  });

  test.each([
    ["by themselves", {}],
    ["with all that strictness has", { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true }],
    ["for a bundler", { module: "esnext", moduleResolution: "bundler", lib: ["es2023", "dom"] }],
  ])("hold, without skipping any declaration, %s", (_, options) => {
    const noEmit = { noEmit: true };
    expect(installed.compile(STRANGER, { ...options, ...noEmit })).toBe("");
    expect(installed.compile(IMPLEMENTER, { ...options, ...noEmit })).toBe("");
  });

  test("tell a mistake", () => {
    installed.write("mistake.ts", 'import { openStore } from "varve";\nawait (await openStore()).save("one");\n');
    expect(installed.compile("mistake.ts", { noEmit: true })).toMatch(/^mistake\.ts\(2,\d+\): error TS2345/);
  });
});

describe("a program that uses the package", () => {
  const large = (): string => join(scratch, "large.tar");
  beforeAll(() => {
    installed.install("@types/node");
    expect(installed.compile(STRANGER)).toBe("");
    writeSampleArchive(
      large(),
      "large:1",
      [0, 1, 2].map((layer) => [[`${layer}`, 3 << 20] as const]),
    );
    chmodSync(large(), 0o644);
  });

  /** @returns the scenes that did not go well, and how many there were */
  function play(user?: number): { broken: object; count: number } {
    const directory = join(scratch, `${user}`);
    mkdirSync(directory);
    if (user !== undefined) chownSync(directory, user, user);
    const results = JSON.parse(node(["stranger.js", QUICKSTART, large(), directory], user)) as Record<string, string>;
    const broken = Object.fromEntries(Object.entries(results).filter(([, result]) => result !== "well"));
    return { broken, count: Object.keys(results).length };
  }

  test("plays all its scenes", () => {
    expect(play()).toEqual({ broken: {}, count: 16 });
  });

  const lack = lacking("root");
  test.skipIf(lack)(`plays them without any rights, too${lack ?? ""}`, () => {
    expect(play(NOBODY)).toEqual({ broken: {}, count: 16 });
  });
});

describe("the suites", () => {
  test("run in the stranger's own vitest, and find what is wrong with a driver", () => {
    for (const name of ["vitest", "fast-check"]) installed.install(name);
    installed.write(
      "mine.test.js",
      `import { driverSuite, imageBackendSuite } from "varve/testing";
      driverSuite({ name: "mine", stacks: false, open: () => { throw new Error("not written yet"); } });`,
    );
    const { status, stdout } = spawnSync(
      process.execPath,
      ["node_modules/vitest/vitest.mjs", "run", "--reporter=json"],
      {
        cwd: installed.directory,
        encoding: "utf8",
      },
    );
    const report = JSON.parse(stdout.slice(stdout.indexOf("{"))) as { numTotalTests: number; numFailedTests: number };
    expect(status).toBe(1);
    expect(report.numTotalTests).toBeGreaterThan(10);
    expect(report.numFailedTests).toBe(report.numTotalTests);
    expect(stdout).toContain("not written yet");
  });
});
