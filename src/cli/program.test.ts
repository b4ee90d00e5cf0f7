import { describe, expect, test } from "vitest";
import { COMMANDS, CONTAINER_COMMANDS, IMAGE_COMMANDS } from "./command-list.ts";
import { buildProgram, type VarveCommand } from "./program.ts";
import { reportFailure } from "./report.ts";
import type { GlobalOptions } from "./session.ts";
import { UsageError } from "./usage-error.ts";

interface Called {
  readonly args: readonly string[];
  readonly options: object;
  readonly global: GlobalOptions;
}

async function parse(...argv: string[]): Promise<Called> {
  let called: Called | undefined;
  const { program } = buildProgram(async (_, call, global) => {
    called = { ...call, global };
  });
  await program.parseAsync(argv, { from: "user" });
  if (called === undefined) throw new Error("no command was called");
  return called;
}

async function complaint(...argv: string[]): Promise<string> {
  const error = await parse(...argv).catch((thrown: unknown) => thrown);
  if (!(error instanceof UsageError)) throw error;
  return reportFailure(error).lines.join("\n");
}

describe("a command line", () => {
  test("reaches its command with arguments, options and the store's options, wherever those stand", async () => {
    expect(await parse("--root", "/r", "images", "-aq", "--filter", "a=b", "-f", "c=d", "x", "--driver=vfs")).toEqual({
      args: ["x"],
      options: { all: true, quiet: true, filter: ["a=b", "c=d"], trunc: true },
      global: { root: "/r", driver: "vfs" },
    });
    expect((await parse("image", "rm", "a", "b", "--no-prune", "--root", "/r")).args).toEqual(["a", "b"]);
    expect((await parse("image", "list")).options).toEqual({ trunc: true });
  });

  test("may give a flag a truth value, as Go's flags have them", async () => {
    expect((await parse("history", "-H=false", "x")).options).toMatchObject({ human: false });
    expect((await parse("history", "--human=false", "x")).options).toMatchObject({ human: false });
    expect((await parse("history", "--human=true", "--quiet=false", "x")).options).toEqual({
      human: true,
      trunc: true,
    });
    expect((await parse("save", "--", "a=true", "--x=false")).args).toEqual(["a=true", "--x=false"]);
  });

  test.each([
    [["imges"], "'imges' is not a varve command (did you mean images?). See 'varve --help'."],
    [["nosuch", "--help"], "'nosuch' is not a varve command. See 'varve --help'."],
    [["image", "nosuch", "--help"], "'nosuch' is not a varve image command. See 'varve image --help'."],
    [["image", "lss"], "'lss' is not a varve image command (did you mean ls?). See 'varve image --help'."],
    [["images", "--digest"], "unknown option '--digest' (did you mean --digests?). See 'varve images --help'."],
    [["rmi"], `"varve rmi" requires at least 1 argument. See 'varve rmi --help'.`],
    [["tag", "a"], `"varve tag" requires exactly 2 arguments. See 'varve tag --help'.`],
    [["image", "ls", "a", "b"], `"varve image ls" requires at most 1 argument. See 'varve image ls --help'.`],
    [
      ["commit", "a", "b", "c"],
      `"varve commit" requires at least 1 and at most 2 arguments. See 'varve commit --help'.`,
    ],
    [["info", "x"], `"varve info" accepts no arguments. See 'varve info --help'.`],
    [["save", "-o"], "option '-o, --output <file>' argument missing. See 'varve save --help'."],
    [
      ["images", "--json", "--format", "x"],
      "option '--json' cannot be used with option '--format <template>'. See 'varve images --help'.",
    ],
  ])("%j is refused with what to do", async (argv, message) => {
    expect(await complaint(...argv)).toBe(`varve: ${message}`);
  });
});

describe("every command", () => {
  const { program, declare } = buildProgram(async () => {});
  const image = find(program, "image");
  const container = find(program, "container");
  const nodes: [string, VarveCommand][] = [
    ...COMMANDS.flatMap(({ commands }) => commands).map(({ name }): [string, VarveCommand] => [
      name,
      find(program, name),
    ]),
    ...IMAGE_COMMANDS.map(({ name }): [string, VarveCommand] => [`image ${name}`, find(image, name)]),
    ...CONTAINER_COMMANDS.map(({ name }): [string, VarveCommand] => [`container ${name}`, find(container, name)]),
  ];

  test.each(nodes)("%s has a summary, examples, --json, and a default for each option", async (_, node) => {
    await declare(node);
    const help = helpOf(node);
    expect(node.summary()).not.toBe("");
    expect(help).toMatch(/\nExamples:\n(?: {2}\$ .*\n)+$/);
    expect(node.options.map(({ long }) => long)).toContain("--json");
    for (const { hidden, long, description, defaultValue } of node.options)
      if (!hidden) expect(`${description} ${defaultValue ?? ""}`, long ?? "").toMatch(/default:|docker$|which is also/);
  });

  test.each([
    ["save", /--root, .*--v1, --host, --tlscacert/],
    ["create", /--root, .*--durability, --host, --tlscacert/],
    ["serve", /--root, .*--durability$/m],
  ])("%s names the global options that it does not refuse", async (name, known) => {
    const fresh = buildProgram(async () => {});
    const node = find(fresh.program, name);
    await fresh.declare(node);
    expect(/^Global options .*$/m.exec(helpOf(node))![0]).toMatch(known);
  });

  test("that deletes has --dry-run", async () => {
    for (const name of ["rmi", "rm"]) expect(optionNames(find(program, name))).toContain("--dry-run");
    for (const group of [image, container])
      for (const name of ["rm", "prune"]) expect(optionNames(find(group, name))).toContain("--dry-run");
  });
});

function find(parent: VarveCommand, name: string): VarveCommand {
  return parent.commands.find((command) => command.name() === name) as VarveCommand;
}

function optionNames(command: VarveCommand): (string | undefined)[] {
  return command.options.map(({ long }) => long);
}

function helpOf(node: VarveCommand): string {
  const parts: string[] = [];
  node.configureOutput({ writeOut: (part) => void parts.push(part) }).outputHelp();
  return parts.join("");
}
