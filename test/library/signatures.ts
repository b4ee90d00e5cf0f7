import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A declaration: the file that makes it, and its name there. */
type Declaration = `${string}#${string}`;

/**
 * The types that the exported declarations speak of and that cannot be imported from any of the entry points.
 *
 * @param entries the paths of their `.d.ts`
 */
export function unreachableTypes(entries: readonly string[]): string[] {
  const exported = new Set(entries.flatMap((entry) => [...exportsOf(entry)]));
  const missing = new Set<string>();
  for (const declaration of exported) {
    const [file, name] = declaration.split("#") as [string, string];
    for (const used of typesUsedBy(file, name))
      if (!exported.has(used)) missing.add(`${name} speaks of ${used.split("#")[1]}`);
  }
  return [...missing].sort();
}

function exportsOf(file: string): Set<Declaration> {
  const { imports, chunks } = parse(file);
  const names = [...chunks].filter(([, text]) => text.startsWith("export ")).map(([name]) => name);
  return new Set([
    ...names.map((name): Declaration => `${file}#${name}`),
    ...[...imports].filter(([name]) => name.startsWith("export ")).map(([, declaration]) => declaration),
  ]);
}

function typesUsedBy(file: string, name: string): Declaration[] {
  const { imports, chunks } = parse(file);
  const text = chunks.get(name);
  if (text === undefined) throw new Error(`${file} does not declare ${name}`);
  const types = text
    .replace(/^\s+(?:private |#).*$/gm, "")
    .replace(/\btypeof \w+/g, "")
    .replace(/\b\w+\??:(?= )/g, "");
  const words = types.match(/[A-Za-z_$][\w$]*/g);
  return [...new Set(words)].flatMap((word): Declaration[] => {
    if (word === name) return [];
    const imported = imports.get(word);
    if (imported !== undefined) return [imported];
    return /(?:interface|class|type|enum) $/.test(chunks.get(word)?.split(word)[0] ?? "") ? [`${file}#${word}`] : [];
  });
}

interface Declarations {
  /** Names that come from other files of the package; what is passed on is under `export <name>`. */
  readonly imports: ReadonlyMap<string, Declaration>;
  /** Each top-level declaration without its comments. */
  readonly chunks: ReadonlyMap<string, string>;
}

function parse(file: string): Declarations {
  const text = readFileSync(file, "utf8").replace(/\/\*.*?\*\//gs, "");
  const imports = new Map<string, Declaration>();
  for (const [, verb, list, from] of text.matchAll(/^(import|export) (?:type )?\{([^}]*)\} from "(\.[^"]+)";/gm))
    for (const item of list!.split(",").map((part) => part.trim().replace(/^type /, ""))) {
      if (item === "") continue;
      const [original, alias = original] = item.split(" as ") as [string, string?];
      const target = join(file, "..", from!.replace(/\.[jt]s$/, ".d.ts"));
      imports.set(verb === "export" ? `export ${alias}` : alias, `${target}#${original}`);
    }
  const chunks = new Map<string, string>();
  for (const chunk of text.split(/^(?=export |declare |interface |type |class |function |const |import )/m)) {
    const name = /^(?:export )?(?:declare )?(?:abstract )?(?:interface|class|type|function|const) (\w+)/.exec(
      chunk,
    )?.[1];
    if (name !== undefined) chunks.set(name, (chunks.get(name) ?? "") + chunk);
  }
  return { imports, chunks };
}
