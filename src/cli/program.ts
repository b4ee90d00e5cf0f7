/**
 * The tree of commands. At the start it has only names and summaries; a command declares its arguments and options
 * when it is the one that was called, so that nothing else has to be loaded.
 */
import { Command, type HelpContext, type Option } from "commander";
import { version } from "../engine/version.ts";
import type { Call, CliCommand } from "./command.ts";
import { COMMANDS, CONTAINER_COMMANDS, CONTAINER_HEADING, type CommandEntry, IMAGE_COMMANDS } from "./command-list.ts";
import {
  addGlobalOptions,
  GLOBAL_OPTIONS,
  HOST_OPTIONS,
  nameGlobalOptions,
  ROOT_OPTIONS,
  repeatGlobalOptions,
} from "./options.ts";
import type { GlobalOptions } from "./session.ts";
import { UsageError } from "./usage-error.ts";

/** Runs the command that was called. */
export type Perform = (
  command: CliCommand,
  call: Omit<Call<object>, "session">,
  global: GlobalOptions,
) => Promise<void>;

export interface Program {
  readonly program: VarveCommand;
  /** Completes a command of the tree by its arguments and options. */
  declare(command: VarveCommand): Promise<void>;
}

export function buildProgram(perform: Perform): Program {
  const program = new VarveCommand("varve");
  program
    .usage("[OPTIONS] COMMAND")
    .description("Keep, move and look into container images, byte for byte and without a daemon")
    .version(`varve version ${version()}`, "-v, --version", "Print the version and quit")
    .helpOption("-h, --help", "Print this help")
    .enablePositionalOptions()
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .exitOverride()
    .configureOutput({ writeErr: (help) => void process.stdout.write(help) });
  addGlobalOptions(program);
  const tree = new Tree(program, perform);
  for (const { heading, commands } of COMMANDS) tree.add(program, heading, commands);
  const image = program.command("image").summary("Manage images: ls, inspect, history, tag, rm, prune and more");
  image.usage("COMMAND").description("Manage images").helpGroup(COMMANDS[0]!.heading);
  tree.add(image, "Commands:", IMAGE_COMMANDS);
  const container = program.command("container").summary("Manage containers: ls, create, rename, rm, prune and more");
  container.usage("COMMAND").description("Manage containers").helpGroup(CONTAINER_HEADING);
  tree.add(container, "Commands:", CONTAINER_COMMANDS);
  for (const group of [image, container]) group.helpCommand(false);
  program.addHelpCommand(helpCommand(program));
  for (const group of [program, image, container])
    group.addHelpText("after", `\nRun '${group.path} COMMAND --help' for more about a command.`);
  return { program, declare: (command) => tree.declare(command) };
}

function helpCommand(program: VarveCommand): Command {
  const help = program.createCommand("help").argument("[command]").helpOption(false);
  return help.summary("Print the help of a command").helpGroup(COMMANDS.at(-1)!.heading);
}

/** commander's command with Docker's manners. */
export class VarveCommand extends Command {
  override createCommand(name?: string): VarveCommand {
    return new VarveCommand(name);
  }

  /** The names from the root, `varve image ls`. */
  get path(): string {
    return this.parent === null ? this.name() : `${(this.parent as VarveCommand).path} ${this.name()}`;
  }

  /** `--flag=true` and `--flag=false` are what Go's flags are also given as. */
  override parseOptions(argv: string[]): ReturnType<Command["parseOptions"]> {
    const end = argv.indexOf("--");
    const flags = end < 0 ? argv : argv.slice(0, end);
    return super.parseOptions([...flags.flatMap((text) => this.#plainFlag(text)), ...argv.slice(flags.length)]);
  }

  /** Help for a command that is not there is a mistake in its name. */
  override helpInformation(context?: HelpContext): string {
    const name = this.args.find((word) => !word.startsWith("-"));
    const isKnown = this.commands.some((command) => command.name() === name || command.aliases().includes(name ?? ""));
    if (this.commands.length > 0 && name !== undefined && !isKnown) this.error(`unknown command '${name}'`);
    return super.helpInformation(context);
  }

  override error(message: string, { code }: { code?: string } = {}): never {
    throw new UsageError(this.path, this.#explain(message, code));
  }

  #plainFlag(text: string): string[] {
    const [, flag, value] = /^(-\w|--[\w-]+)=(true|false|1|0)$/i.exec(text) ?? [];
    const option = flag === undefined ? undefined : this.options.find((known) => isCalled(known, flag!));
    if (option === undefined || !option.isBoolean()) return [text];
    if (/^(true|1)$/i.test(value!)) return [flag!];
    const opposite = `--no-${option.name()}`;
    return this.options.some((known) => isCalled(known, opposite)) ? [opposite] : [];
  }

  #explain(message: string, code: string | undefined): string {
    if (code === "commander.missingArgument" || code === "commander.excessArguments")
      return `"${this.path}" ${this.#argumentCount()}`;
    const text = message.replace(/^error: /, "").replace(/\n\(Did you mean (.*)\?\)$/, " (did you mean $1?)");
    return text.replace(/^unknown command ('.*?')/, `$1 is not a ${this.path} command`);
  }

  #argumentCount(): string {
    const count = (many: number): string => `${many} argument${many === 1 ? "" : "s"}`;
    const least = this.registeredArguments.filter(({ required }) => required).length;
    const most = this.registeredArguments.some(({ variadic }) => variadic) ? Infinity : this.registeredArguments.length;
    if (most === 0) return "accepts no arguments";
    if (least === most) return `requires exactly ${count(least)}`;
    if (least === 0) return `requires at most ${count(most)}`;
    return most === Infinity
      ? `requires at least ${count(least)}`
      : `requires at least ${least} and at most ${count(most)}`;
  }
}

function isCalled({ short, long }: Option, flag: string): boolean {
  return flag === short || flag === long;
}

class Tree {
  readonly #entries = new Map<Command, CommandEntry>();
  readonly #hooked = new Set<Command>();
  readonly #perform: Perform;
  readonly #program: Command;

  constructor(program: Command, perform: Perform) {
    this.#program = program;
    this.#perform = perform;
  }

  add(parent: Command, heading: string, entries: readonly CommandEntry[]): void {
    for (const entry of entries) {
      const command = parent.command(entry.name).summary(entry.summary).helpGroup(heading);
      this.#entries.set(command.aliases(entry.aliases ?? []), entry);
    }
    if (!this.#hooked.has(parent)) parent.hook("preSubcommand", (_, command) => this.declare(command));
    this.#hooked.add(parent);
  }

  async declare(command: Command): Promise<void> {
    const entry = this.#entries.get(command);
    if (entry === undefined) return; // a group
    const implementation = await entry.load();
    nameGlobalOptions(command, takenBy(implementation));
    implementation.declare(command.description(entry.summary));
    const itsOwn = new Set(command.options.map((option) => option.attributeName()));
    repeatGlobalOptions(command);
    command.action(() => {
      const { global: repeated, own } = splitOptions(command.opts(), itsOwn);
      const global: GlobalOptions = { ...this.#program.opts(), ...repeated };
      refuseMixture(command, implementation, global);
      const args = command.processedArgs.flat().filter((arg): arg is string => arg !== undefined);
      return this.#perform(implementation, { args, options: own }, global);
    });
  }
}

/** The global options that a command does not refuse. */
function takenBy({ takesV1, isLocal }: CliCommand): readonly string[] {
  const known = isLocal ? ROOT_OPTIONS : GLOBAL_OPTIONS;
  return known.filter((name) => name !== "v1" || takesV1);
}

/** Options that choose a store in ways that do not go together, or that the command knows nothing of. */
function refuseMixture(command: Command, { takesV1, isLocal }: CliCommand, global: GlobalOptions): void {
  if (global.v1 && !takesV1)
    command.error("--v1 is for images, save and export: nothing else reads the store of Docker 1.9 and before");
  const flagOf = (names: readonly (keyof GlobalOptions)[]): string | undefined => {
    const name = names.find((known) => global[known] !== undefined);
    return name?.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  };
  const remote = flagOf(HOST_OPTIONS);
  if (remote === undefined) return;
  if (isLocal)
    command.error(
      `${command.name()} works on this machine alone: --${remote} is for what a daemon does with its store`,
    );
  const local = flagOf(ROOT_OPTIONS);
  if (local !== undefined && global.host !== undefined)
    command.error(`--host is for the store that a daemon has open, --${local} for one of this machine: use one`);
}

/** @param itsOwn what the command calls as the program does, and means otherwise */
function splitOptions(
  options: Readonly<Record<string, unknown>>,
  itsOwn: ReadonlySet<string>,
): { global: GlobalOptions; own: object } {
  const isGlobal = ([name]: [string, unknown]): boolean =>
    (GLOBAL_OPTIONS as readonly string[]).includes(name) && !itsOwn.has(name);
  const entries = Object.entries(options);
  return {
    global: Object.fromEntries(entries.filter(isGlobal)),
    own: Object.fromEntries(entries.filter((entry) => !isGlobal(entry))),
  };
}
