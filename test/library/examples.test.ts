import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { commentExamples, type Example, findExamples, markdownExamples } from "./doc-examples.ts";
import { CONTEXT } from "./example-context.ts";

const PROJECT = join(import.meta.dirname, "../..");

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "varve-examples-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

test("every example in a doc comment and on a page compiles", () => {
  const examples = findExamples(PROJECT);
  expect(examples.length).toBeGreaterThan(50);
  expect(Object.keys(CONTEXT).filter((file) => !examples.some((example) => example.file === file))).toEqual([]);
  expect(compile(examples)).toEqual([]);
});

describe("an example", () => {
  test("that does not compile is found, with its place", () => {
    const text =
      '/**\n * A.\n *\n * @example\n * import { openStore } from "varve";\n * await openStore({ rot: "/" });\n */';
    const [failure, ...others] = compile(commentExamples("A.md", text));
    expect(failure).toMatch(/^A\.md:6: error TS2\d+: .*'rot'/);
    expect(others).toEqual([]);
  });

  test("is found wherever it stands", () => {
    const text =
      "/** B. @example b() // 1 */\n  /**\n   * @param c d\n   * @example <caption>E</caption>\n   * e(\n   *   f);\n   * @returns g\n   */";
    expect(commentExamples("x", text)).toEqual([
      { file: "x", line: 1, lines: ["b() // 1"] },
      { file: "x", line: 4, lines: ["", "e(", "  f);"] },
    ]);
    expect(markdownExamples("y", "# T\n```ts\na();\nb();\n```\n```console\nc\n```\n")).toEqual([
      { file: "y", line: 3, lines: ["a();", "b();"] },
    ]);
  });
});

/** All examples in one run of the compiler. @returns its complaints, with the places that the examples come from */
function compile(examples: readonly Example[]): string[] {
  symlinkSync(join(PROJECT, "node_modules"), join(directory, "node_modules"));
  writeFileSync(join(directory, "package.json"), '{ "type": "module" }');
  mkdirSync(join(directory, "examples"));
  for (const [i, example] of examples.entries())
    writeFileSync(join(directory, "examples", `${i}.ts`), programOf(example));
  const source = (file: string): string[] => [join(PROJECT, "src", file)];
  const compilerOptions = {
    ...JSON.parse(readFileSync(join(PROJECT, "tsconfig.json"), "utf8")).compilerOptions,
    ...{ rootDir: "/", noEmit: true, declaration: false, isolatedDeclarations: false },
    ...{ allowImportingTsExtensions: true, rewriteRelativeImportExtensions: false, verbatimModuleSyntax: false },
    // What the style of this project asks for beyond correctness is not asked of examples.
    ...{ noUnusedLocals: false, noUnusedParameters: false, noUncheckedIndexedAccess: false },
    typeRoots: [join(PROJECT, "node_modules/@types")],
    paths: {
      "src/*": source("*"),
      ...Object.fromEntries(Object.entries(entryPoints()).map(([name, file]) => [join("varve", name), source(file)])),
    },
  };
  writeFileSync(join(directory, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["examples"] }));
  const tsc = [join(PROJECT, "node_modules/typescript/bin/tsc"), "-p", directory, "--pretty", "false"];
  const { status, stdout } = spawnSync(process.execPath, tsc, { cwd: directory, encoding: "utf8" });
  const complaints = stdout.split("\n").filter((line) => line !== "" && !/^\s/.test(line));
  if (status !== 0 && complaints.length === 0) throw new Error(`tsc ended with status ${status}`);
  return complaints.map((line) =>
    line.replace(
      /^examples\/(\d+)\.ts\((\d+),\d+\)/,
      (_, i: string, at: string) => `${examples[Number(i)]!.file}:${at}`,
    ),
  );
}

/** The example as the body of a function, on the lines on which it stands in its file. */
function programOf({ file, line, lines }: Example): string {
  const text = lines.join("\n");
  const imports: string[] = [];
  const body = text.replace(/^import\s[^;]*;/gm, (statement) => {
    imports.push(statement.replaceAll("\n", " "));
    return statement.replace(/[^\n]/g, "");
  });
  const head = [...imports, ownExports(file), CONTEXT[file] ?? "", "async function* example() {"];
  return `${head.join(" ")}${"\n".repeat(line - 1)}${body}\n}\nvoid example;\n`;
}

/** An import of all that the example's own file exports, unless it is one that users import by the package's name. */
function ownExports(file: string): string {
  if (!file.startsWith("src/") || Object.values(entryPoints()).some((entry) => file === `src/${entry}`)) return "";
  const path = join(PROJECT, file);
  const names = [...readFileSync(path, "utf8").matchAll(EXPORT)].map(([, name]) => name);
  return `import { ${names.join(", ")} } from ${JSON.stringify(path)};`;
}

const EXPORT = /^export (?:abstract |async )?(?:class|const|function\*?|interface|type) (\w+)/gm;

/** The subpaths of the package and the sources behind them. */
function entryPoints(): Record<string, string> {
  const { exports } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
    exports: Record<string, { default: string }>;
  };
  return Object.fromEntries(
    Object.entries(exports).map(([name, target]) => [name, relative("dist", target.default).replace(/\.js$/, ".ts")]),
  );
}
