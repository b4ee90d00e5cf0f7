import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A piece of code that documentation shows. */
export interface Example {
  /** Where it stands, relative to the project. */
  readonly file: string;
  /** The line of that file on which it begins, counted from 1. */
  readonly line: number;
  readonly lines: readonly string[];
}

/** What follows every `@example` of the sources, and every TypeScript block of the Markdown files. */
export function findExamples(project: string): Example[] {
  const sources = readdirSync(join(project, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => `src/${name}`);
  const pages = ["", "docs", "examples"].flatMap((directory) =>
    readdirSync(join(project, directory))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(directory, name)),
  );
  const textOf = (file: string): string => readFileSync(join(project, file), "utf8");
  return [
    ...sources.sort().flatMap((file) => commentExamples(file, textOf(file))),
    ...pages.flatMap((file) => markdownExamples(file, textOf(file))),
  ];
}

/** In doc comments: from the tag, and its caption, to the next tag or the end of the comment. */
export function commentExamples(file: string, text: string): Example[] {
  const examples: Example[] = [];
  for (const comment of text.matchAll(/^[ \t]*\/\*\*.*?\*\//gms)) {
    const firstLine = lineOf(text, comment.index);
    let open: { line: number; lines: string[] } | undefined;
    for (const [i, raw] of comment[0].split("\n").entries()) {
      const line = raw
        .replace(/^\s*\/\*\*\s?/, "")
        .replace(/\s*\*\/$/, "")
        .replace(/^\s*\* ?/, "");
      const tag = /(?:^|\s)@example\b\s*(?:<caption>.*?<\/caption>)?(.*)$/.exec(line);
      if (tag !== null) {
        open = { line: firstLine + i, lines: [tag[1]!] };
        examples.push({ file, ...open });
      } else if (/^@\w/.test(line)) open = undefined;
      else open?.lines.push(line);
    }
  }
  return examples;
}

/** Blocks that are fenced as `ts`. */
export function markdownExamples(file: string, text: string): Example[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map((block) => ({
    file,
    line: lineOf(text, block.index) + 1,
    lines: block[1]!.trimEnd().split("\n"),
  }));
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
