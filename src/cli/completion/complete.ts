/**
 * What could stand at the end of a command line. A shell's script asks with `varve __complete WORD...`, the last word
 * being the one that is typed; it gets a candidate a line, a tab and what it is. `FILES` as a line asks the shell for
 * file names.
 */
import type { Argument, Option } from "commander";
import type { AnyStore } from "../../engine/any-store.ts";
import type { V1Store } from "../../engine/v1-store.ts";
import { GLOBAL_OPTIONS } from "../options.ts";
import { buildProgram, type VarveCommand } from "../program.ts";
import { type GlobalOptions, Session } from "../session.ts";
import { FILES } from "./scripts.ts";

interface Candidate {
  readonly value: string;
  readonly description: string;
}

/** @param words what follows `varve`; the last one is completed */
export async function complete(words: readonly string[]): Promise<string> {
  const typed = words.at(-1) ?? "";
  const place = await walk(words.slice(0, -1));
  if (place === undefined) return "";
  const { candidates, files } = await suggest(place, typed);
  const lines = candidates
    .filter(({ value }) => value.startsWith(typed))
    .map(({ value, description }) => `${value}\t${description}\n`);
  return lines.join("") + (files ? `${FILES}\n` : "");
}

/** Where the word to complete stands. */
interface Place {
  readonly command: VarveCommand;
  /** The option whose value it is. */
  readonly option: Option | undefined;
  /** How many arguments stand before it. */
  readonly position: number;
  readonly global: GlobalOptions;
}

/** @returns undefined where there is no such command */
async function walk(words: readonly string[]): Promise<Place | undefined> {
  const { program, declare } = buildProgram(async () => {});
  const global: Record<string, string | boolean> = {};
  let command = program;
  let option: Option | undefined;
  let position = 0;
  for (const word of words) {
    if (option !== undefined) {
      global[option.attributeName()] = word;
      option = undefined;
    } else if (word.startsWith("-")) {
      option = valueOption(command, word);
      const flag = option === undefined && command.options.find(({ long }) => long === word);
      if (flag) global[flag.attributeName()] = true;
    } else if (command.commands.length > 0) {
      const next = command.commands.find((known) => known.name() === word || known.aliases().includes(word));
      if (next === undefined) return undefined;
      command = next as VarveCommand;
      await declare(command);
    } else position++;
  }
  return { command, option, position, global };
}

function valueOption(command: VarveCommand, word: string): Option | undefined {
  return command.options.find(({ short, long, required }) => required && (word === short || word === long));
}

interface Suggestions {
  readonly candidates: readonly Candidate[];
  readonly files: boolean;
}

async function suggest({ command, option, position, global }: Place, typed: string): Promise<Suggestions> {
  if (option !== undefined) return valuesOf(option);
  if (typed.startsWith("-")) return { candidates: optionsOf(command), files: false };
  if (command.commands.length > 0) return { candidates: commandsOf(command), files: false };
  const argument = command.registeredArguments[Math.min(position, command.registeredArguments.length - 1)];
  if (argument === undefined || (position >= command.registeredArguments.length && !argument.variadic))
    return { candidates: [], files: false };
  return await argumentsFor(argument, global);
}

function valuesOf({ argChoices, long }: Option): Suggestions {
  const candidates = (argChoices ?? []).map((value) => ({ value, description: "" }));
  return { candidates, files: FILE_OPTIONS.has(long ?? "") };
}

const FILE_OPTIONS = new Set(["--root", "--input", "--output", "--env-file", "--tlscacert", "--tlscert", "--tlskey"]);

function optionsOf(command: VarveCommand): Candidate[] {
  return command.options
    .filter((option) => option.long !== undefined && (!option.hidden || isGlobal(option)))
    .map(({ long, description }) => ({ value: long!, description }));
}

/** Help names them once for all commands, which hides them elsewhere. */
function isGlobal(option: Option): boolean {
  return (GLOBAL_OPTIONS as readonly string[]).includes(option.attributeName());
}

function commandsOf(command: VarveCommand): Candidate[] {
  return command.commands.map((known) => ({ value: known.name(), description: known.summary() }));
}

async function argumentsFor(argument: Argument, global: GlobalOptions): Promise<Suggestions> {
  const kinds = ARGUMENT_KINDS[argument.name()] ?? [];
  const candidates: Candidate[] = (argument.argChoices ?? []).map((value) => ({ value, description: "" }));
  if (kinds.includes("image") || kinds.includes("container"))
    try {
      await using session = new Session(global, new AbortController().signal, { quiet: true });
      const store = session.isV1 ? await session.v1Store() : await session.store();
      if (kinds.includes("container")) candidates.push(...(await containerNames(store)));
      if (kinds.includes("image")) candidates.push(...(await imageNames(store)));
    } catch {
      // A store that does not open has no names; the command itself will say why.
    }
  return { candidates, files: kinds.includes("file") };
}

type Kind = "image" | "container" | "file";
/** What the arguments of the commands stand for, by their names. */
const ARGUMENT_KINDS: Readonly<Record<string, readonly Kind[]>> = {
  image: ["image"],
  container: ["container"],
  target: ["container", "image"],
  object: ["container", "image"],
  name: ["image"],
  source: ["container", "image", "file"],
  destination: ["container", "file"],
  file: ["file"],
};

async function imageNames(store: AnyStore | V1Store): Promise<Candidate[]> {
  const images = await store.images();
  return images.flatMap(({ tags }) => tags).map((value) => ({ value, description: "image" }));
}

async function containerNames(store: AnyStore | V1Store): Promise<Candidate[]> {
  return (await store.containers()).map(({ name, image }) => ({ value: name, description: `container of ${image}` }));
}
