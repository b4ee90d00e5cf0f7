import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

/** docs/architecture.md, "The floors": a folder imports from the floors below and from itself. */
const FLOORS: Readonly<Record<string, number>> = {
  sys: 0,
  digest: 0,
  "errors.ts": -1,
  json: 1,
  tar: 1,
  io: 1,
  fstree: 2,
  pool: 2,
  driver: 3,
  layer: 4,
  image: 5,
  reference: 5,
  archive: 6,
  graph: 6,
  engine: 7,
  remote: 8,
  daemon: 9,
  "index.ts": 9,
  cli: 10,
};

const SOURCE = import.meta.dirname;

describe("the floors", () => {
  test("hold in every import", () => {
    const broken = imports()
      .filter(({ from, to }) => from !== to && !(floorOf(to) < floorOf(from)))
      .map(({ file, target }) => `${file} imports ${target}`);
    expect(broken).toEqual([]);
  });

  test("every folder has one", () => {
    const known = new Set([...Object.keys(FLOORS), "testing", "floors.test.ts"]);
    expect(readdirSync(SOURCE).filter((name) => !known.has(name))).toEqual([]);
  });

  test("only sys/ loads koffi", () => {
    const others = sources().filter(({ file, text }) => !file.startsWith("sys/") && /["']koffi["']/.test(text));
    expect(others.map(({ file }) => file)).toEqual([]);
  });

  test("testing/ is used by tests alone", () => {
    const users = sources().filter(
      ({ file, text }) =>
        !file.startsWith("testing/") && !file.endsWith(".test.ts") && /from "[./]+testing\//.test(text),
    );
    expect(users.map(({ file }) => file)).toEqual([]);
  });
});

function floorOf(part: string): number {
  const floor = FLOORS[part];
  if (floor === undefined) throw new Error(`${part} has no floor`);
  return floor;
}

function imports(): { file: string; from: string; to: string; target: string }[] {
  return sources()
    .filter(({ file }) => !file.endsWith(".test.ts") && !file.startsWith("testing/"))
    .flatMap(({ file, text }) =>
      [...text.matchAll(/(?:from|import\()\s*"(\.[^"]+)"/g)].map(([, specifier]) => {
        const target = relative(SOURCE, resolve(SOURCE, dirname(file), specifier!));
        return { file, from: partOf(file), to: partOf(target), target };
      }),
    );
}

function partOf(file: string): string {
  return file.split("/")[0]!;
}

function sources(): { file: string; text: string }[] {
  return readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ file, text: readFileSync(join(SOURCE, file), "utf8") }));
}
