import type { ContainerConfig, Healthcheck } from "../image/container-config.ts";
import type { GoInteger } from "../json/go-type.ts";
import { type Instruction, invalid, parseDockerfile, quote, trim } from "./dockerfile.ts";
import { parseDuration } from "./duration.ts";
import { exposedPorts } from "./port-spec.ts";
import { expandWord, expandWords } from "./shell-word.ts";

/**
 * Applies the instructions of `--change` to a config, as `docker import` and `docker commit` do (FORMATS 12.1).
 *
 * @param changes Dockerfile lines; `CMD ENTRYPOINT ENV EXPOSE HEALTHCHECK LABEL ONBUILD USER VOLUME WORKDIR` are allowed
 * @returns a new config
 * @throws VarveError `invalid-argument` with Docker's text
 * @example applyChanges(EMPTY_CONTAINER_CONFIG, ['CMD ["/bin/sh"]', "ENV A=b"])
 */
export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  if (changes.length === 0) return config;
  const { instructions, escapeMark } = parseDockerfile(changes.join("\n"));
  const stranger = instructions.find(({ name }) => !Object.hasOwn(CHANGES, name));
  if (stranger !== undefined) throw invalid(`${stranger.name} is not a valid change command`);
  const steps = instructions.map((instruction) => CHANGES[instruction.name as ChangeName](instruction));
  const draft: Draft = { config: { ...config }, escapeMark, cmdSet: false };
  for (const step of steps) step(draft);
  return draft.config;
}

interface Draft {
  readonly config: { -readonly [Key in keyof ContainerConfig]: ContainerConfig[Key] };
  readonly escapeMark: string;
  /** A `CMD` of these changes outlives a later `ENTRYPOINT`; one that was there before does not. */
  cmdSet: boolean;
}

/** All instructions are checked before the first one takes effect. */
type Step = (draft: Draft) => void;
type ChangeName = keyof typeof CHANGES;

const CHANGES = {
  cmd: changeCmd,
  entrypoint: changeEntrypoint,
  env: changeEnv,
  expose: changeExpose,
  healthcheck: changeHealthcheck,
  label: changeLabel,
  onbuild: changeOnbuild,
  user: changeUser,
  volume: changeVolume,
  workdir: changeWorkdir,
} as const satisfies Record<string, (instruction: Instruction) => Step>;

function changeCmd(instruction: Instruction): Step {
  refuseFlags(instruction);
  const { args, json } = instruction;
  return (draft) => {
    draft.config.cmd = json ? [...args] : [...shellOf(draft.config), ...args];
    if (args.length > 0) draft.cmdSet = true;
  };
}

function changeEntrypoint(instruction: Instruction): Step {
  refuseFlags(instruction);
  const { args, json } = instruction;
  return (draft) => {
    if (args.length === 0) draft.config.entrypoint = null;
    else draft.config.entrypoint = json ? [...args] : [...shellOf(draft.config), ...args];
    if (!draft.cmdSet) draft.config.cmd = null;
  };
}

function changeEnv(instruction: Instruction): Step {
  const pairs = parsePairs(instruction);
  return (draft) => {
    const entries = expandPairs(draft, pairs);
    const environment = [...(draft.config.env ?? [])];
    for (const [name, value] of entries) {
      const known = environment.findIndex((entry) => entry.split("=", 1)[0] === name);
      environment.splice(known < 0 ? environment.length : known, 1, `${name}=${value}`);
    }
    draft.config.env = environment;
  };
}

function changeLabel(instruction: Instruction): Step {
  const pairs = parsePairs(instruction);
  return (draft) => {
    draft.config.labels = new Map([...(draft.config.labels ?? []), ...expandPairs(draft, pairs)]);
  };
}

function changeExpose(instruction: Instruction): Step {
  requireOne(instruction);
  refuseFlags(instruction);
  return (draft) => {
    const specs = [...instruction.args]
      .sort()
      .flatMap((spec) => expandWords(spec, environmentOf(draft), draft.escapeMark));
    draft.config.exposedPorts = new Set([...(draft.config.exposedPorts ?? []), ...specs.flatMap(exposedPorts)]);
  };
}

function changeHealthcheck(instruction: Instruction): Step {
  requireOne(instruction);
  const health = parseHealth(instruction);
  return (draft) => {
    draft.config.healthcheck = health;
  };
}

function parseHealth(instruction: Instruction): Healthcheck {
  const [typeWord = "", ...args] = instruction.args;
  const type = typeWord.toUpperCase();
  if (type === "NONE") {
    if (args.length > 0) throw invalid("HEALTHCHECK NONE takes no arguments");
    return { test: ["NONE"], interval: 0, timeout: 0, startPeriod: 0, retries: 0 };
  }
  const flags = parseFlags(instruction, ["interval", "timeout", "start-period", "retries"]);
  if (type !== "CMD") throw invalid(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`);
  if (args.length === 0) throw invalid("Missing command after HEALTHCHECK CMD");
  return {
    test: [instruction.json ? "CMD" : "CMD-SHELL", ...args],
    interval: parseInterval(flags, "interval"),
    timeout: parseInterval(flags, "timeout"),
    startPeriod: parseInterval(flags, "start-period"),
    retries: parseRetries(flags.get("retries")),
  };
}

function changeOnbuild(instruction: Instruction): Step {
  requireOne(instruction);
  refuseFlags(instruction);
  const trigger = trim(instruction.args[0]!).toUpperCase();
  if (trigger === "ONBUILD") throw invalid("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === "MAINTAINER" || trigger === "FROM") throw invalid(`${trigger} isn't allowed as an ONBUILD trigger`);
  const text = instruction.original.replace(/^\s*ONBUILD\s*/i, "");
  return (draft) => {
    draft.config.onBuild = [...(draft.config.onBuild ?? []), text];
  };
}

function changeUser(instruction: Instruction): Step {
  const word = requireExactlyOne(instruction);
  return (draft) => {
    draft.config.user = expandWord(word, environmentOf(draft), draft.escapeMark);
  };
}

function changeVolume(instruction: Instruction): Step {
  requireOne(instruction);
  refuseFlags(instruction);
  const volumes = instruction.args.map(trim);
  if (volumes.includes("")) throw invalid(EMPTY_VOLUME);
  return (draft) => {
    const expanded = volumes.map((volume) => expandWord(volume, environmentOf(draft), draft.escapeMark));
    if (expanded.includes("")) throw invalid(EMPTY_VOLUME);
    draft.config.volumes = new Set([...(draft.config.volumes ?? []), ...expanded]);
  };
}

const EMPTY_VOLUME = "VOLUME specified can not be an empty string";

function changeWorkdir(instruction: Instruction): Step {
  const word = requireExactlyOne(instruction);
  return (draft) => {
    const directory = expandWord(word, environmentOf(draft), draft.escapeMark);
    if (directory === "") throw invalid("cannot normalize nothing");
    draft.config.workingDir = directory.startsWith("/")
      ? directory
      : cleanPath(`/${draft.config.workingDir}/${directory}`);
  };
}

function requireOne({ name, args }: Instruction): void {
  if (args.length === 0) throw invalid(`${name.toUpperCase()} requires at least one argument`);
}

function requireExactlyOne(instruction: Instruction): string {
  const [word, ...more] = instruction.args;
  if (word === undefined || more.length > 0)
    throw invalid(`${instruction.name.toUpperCase()} requires exactly one argument`);
  refuseFlags(instruction);
  return word;
}

function refuseFlags(instruction: Instruction): void {
  parseFlags(instruction, []);
}

function parseFlags({ flags }: Instruction, known: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const flag of flags) {
    const text = flag.slice(2);
    const at = text.indexOf("=");
    const name = at < 0 ? text : text.slice(0, at);
    if (!known.includes(name)) throw invalid(`Unknown flag: ${name}`);
    if (values.has(name)) throw invalid(`Duplicate flag specified: ${name}`);
    if (at < 0) throw invalid(`Missing a value on flag: ${name}`);
    values.set(name, text.slice(at + 1));
  }
  return values;
}

/** @returns nanoseconds */
function parseInterval(flags: ReadonlyMap<string, string>, name: string): GoInteger {
  const text = flags.get(name) ?? "";
  if (text === "") return 0;
  const duration = parseDuration(text);
  if (duration < 1_000_000n) throw invalid(`Interval ${quote(name)} cannot be less than 1ms`);
  return Number.isSafeInteger(Number(duration)) ? Number(duration) : duration;
}

function parseRetries(text = ""): number {
  if (text === "") return 0;
  if (!/^[-+]?[0-9]+$/.test(text)) throw invalid(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  const retries = Number(text);
  if (Math.abs(retries) > 0x7fff_ffff) throw invalid(`strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  if (retries < 1) throw invalid(`--retries must be at least 1 (not ${retries})`);
  return retries;
}

/** @returns names and values in turn, as they were written */
function parsePairs(instruction: Instruction): [string, string][] {
  refuseFlags(instruction);
  requireOne(instruction);
  const pairs: [string, string][] = [];
  for (let i = 0; i < instruction.args.length; i += 2) pairs.push([instruction.args[i]!, instruction.args[i + 1]!]);
  if (pairs.some(([name]) => name === "")) throw invalid(`${instruction.name.toUpperCase()} names can not be blank`);
  return pairs;
}

/** All of one instruction see the environment from before it. */
function expandPairs(draft: Draft, pairs: readonly [string, string][]): [string, string][] {
  const expand = (word: string): string => expandWord(word, environmentOf(draft), draft.escapeMark);
  return pairs.map(([name, value]) => [expand(name), expand(value)]);
}

function environmentOf(draft: Draft): readonly string[] {
  return draft.config.env ?? [];
}

function shellOf(config: ContainerConfig): readonly string[] {
  return config.shell !== null && config.shell.length > 0 ? config.shell : ["/bin/sh", "-c"];
}

/** Go's `path.Clean` for an absolute path. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}
