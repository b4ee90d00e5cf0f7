/** Options that several commands share, so that they read alike everywhere. */
import { type Command, Option } from "commander";
import type { GlobalOptions } from "./session.ts";

/** Those that choose a store of this machine, by their names in what commander parsed. */
export const ROOT_OPTIONS = ["root", "driver", "usernsRemap", "durability", "v1"] as const;
/** Those that choose the store of a daemon. */
export const HOST_OPTIONS = ["host", "tlscacert", "tlscert", "tlskey"] as const;
export const GLOBAL_OPTIONS: readonly (keyof GlobalOptions)[] = [...ROOT_OPTIONS, ...HOST_OPTIONS];

/** The options that choose the store, for the program itself. */
export function addGlobalOptions(command: Command): void {
  for (const option of globalOptions()) command.addOption(option.helpGroup("Global options:"));
}

/** They are also taken after a command's name; its help only names them. */
export function nameGlobalOptions(command: Command, names: readonly string[]): void {
  const known = globalOptions().filter((option) => names.includes(option.attributeName()));
  command.addHelpText("after", `\nGlobal options (see 'varve --help'): ${known.map(({ long }) => long).join(", ")}`);
}

/** To be called when the command has its own options: what those are called is theirs. */
export function repeatGlobalOptions(command: Command): void {
  const flags = new Set(command.options.flatMap(({ short, long }) => [short, long]));
  for (const option of globalOptions()) {
    if (flags.has(option.long)) continue;
    const isTaken = option.short !== undefined && flags.has(option.short);
    command.addOption((isTaken ? withoutShort(option) : option).hideHelp());
  }
}

function withoutShort({ flags, description }: Option): Option {
  return new Option(flags.replace(/^-\w, /, ""), description);
}

function globalOptions(): Option[] {
  return [
    new Option(
      "--root <dir>",
      "Data-root (default: $VARVE_ROOT, else /var/lib/docker for root and ~/.local/share/varve for others)",
    ),
    new Option(
      "--driver <name>",
      "Storage driver (default: the one that the root has, else overlay2 or rootless)",
    ).choices(["overlay2", "vfs", "rootless"]),
    new Option(
      "--userns-remap <user>",
      "Map owners as dockerd does: default, user[:group] or uid[:gid] (default: no map)",
    ),
    new Option("--durability <level>", "What survives a power loss (default: layer)").choices([
      "none",
      "layer",
      "strict",
    ]),
    new Option(
      "--v1",
      "Read the image store of Docker 1.9 and before, and change nothing; for images, save and export (default: that of today)",
    ),
    new Option(
      "-H, --host <address>",
      "Use the store of a 'varve serve' at unix:///PATH or tcp://HOST:PORT (default: $VARVE_HOST, else the data-root itself)",
    ),
    new Option("--tlscacert <file>", "Authority that has signed the certificate of that daemon (default: no TLS)"),
    new Option("--tlscert <file>", "Certificate to show to that daemon (default: no TLS)"),
    new Option("--tlskey <file>", "Key of that certificate (default: no TLS)"),
  ];
}

export function addJson(command: Command, what = "Print one JSON document (default: text)"): Command {
  return command.addOption(new Option("--json", what).conflicts("format"));
}

export function addFormat(
  command: Command,
  text = "Print with a Go template, 'table' and a template, or 'json' (default: a table)",
): Command {
  return command.option("--format <template>", text);
}

/** Collects every use of an option. */
export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    value,
  ]);
}

export function addDryRun(command: Command): Command {
  return command.option("--dry-run", "Say what would go and remove nothing (default: remove)");
}

/** The last part of a help text. */
export function addExamples(command: Command, ...examples: readonly string[]): Command {
  return command.addHelpText("after", `\nExamples:\n${examples.map((example) => `  $ ${example}`).join("\n")}`);
}
