// Varve against its peers: makes the inputs, lets every subject do every case in turn, and reports. See README.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { CASES } from "./cases.mjs";
import { stopDaemons } from "./daemon.mjs";
import { Homes } from "./homes.mjs";
import { Inputs } from "./inputs.mjs";
import { describeMachine } from "./machine.mjs";
import { killMeasured } from "./measure.mjs";
import { findNodes } from "./nodes.mjs";
import { Stores } from "./stores.mjs";
import { findPeers, varves } from "./subjects.mjs";
import { Table } from "./table.mjs";
import { Proof } from "./work.mjs";

const HELP = `Usage: npm run bench -- [OPTIONS] [CASE...]

Measures Varve beside dockerd, podman, skopeo and ctr, where they are installed. As root, on an otherwise quiet machine.

Cases (default: all; tiny stands for all that begin with "tiny-", and so on):
${CASES.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join("\n")}

Options:
  --rounds <n>       Rounds, in each of which every subject has its turn (default: 5)
  --dir <dir>        Where inputs are kept and stores made; needs up to 40 GB (default: ${join(tmpdir(), "varve-bench")})
  --node <program>   A Node to run Varve on; may be repeated (default: Node 20 and 24, from npm if need be)
  --dist <dir>       Where Varve is built (default: dist)
  --markdown <file>  Write the report there too
  --json <file>      Write every measurement there
  -h, --help         Print this help`;

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "5" },
    dir: { type: "string", default: join(tmpdir(), "varve-bench") },
    node: { type: "string", multiple: true },
    dist: { type: "string", default: join(import.meta.dirname, "../dist") },
    markdown: { type: "string" },
    json: { type: "string" },
    help: { type: "boolean", short: "h" },
  },
});
if (options.help) {
  console.log(HELP);
  process.exit();
}
const unknown = positionals.filter((name) => !CASES.some((candidate) => isNamed(candidate.name, name)));
const rounds = Number(options.rounds);
if (unknown.length > 0) fail(`no case is called ${unknown.join(", ")}; --help lists them`);
if (!Number.isInteger(rounds) || rounds < 1) fail("--rounds takes a number from 1 on");
if (process.getuid?.() !== 0) fail("this needs root: layers have owners and devices, and daemons and disks are set up");

const dir = resolve(options.dir);
mkdirSync(dir, { recursive: true });
const homes = new Homes(dir);
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"])
  process.once(signal, () => {
    interrupted = true;
    cleanUp().finally(() => process.exit(130));
  });

const { peers, missing } = findPeers();
for (const name of missing) console.error(`${name} is not installed and is left out`);
const subjects = [...peers, ...varves(options.node ?? findNodes(dir), resolve(options.dist))];
const context = { inputs: new Inputs(dir), stores: new Stores(homes), subjects };
/** @type {Map<string, Table>} */
const tables = new Map();
const machine = describeMachine(dir);
const heading = `${machine.text} Subjects: ${subjects.map(({ name }) => name).join("; ")}. Rounds: ${rounds}.\n`;
console.log(heading);
try {
  for (const selected of CASES.filter(
    ({ name }) => positionals.length === 0 || positionals.some((p) => isNamed(name, p)),
  )) {
    const table = await runCase(selected);
    tables.set(selected.name, table);
    console.log(`${table}`);
    keepReport();
    selected.after?.(context);
  }
} finally {
  await cleanUp();
}
if ([...tables.values()].some(({ rows }) => rows.some(({ failure }) => failure !== undefined))) process.exitCode = 1;

/** @param {import("./cases.mjs").Case} selected */
async function runCase({ name, title, goals, repeat = 1, contenders }) {
  const contestants = await contenders(context);
  const proof = new Proof();
  const table = new Table(
    name,
    title,
    contestants.map((contestant) => ({ key: contestant.key, name: contestant.name, runs: [] })),
  );
  for (let round = 0; round < rounds * repeat; round++) {
    // Nobody is always the first.
    for (const index of contestants.keys()) {
      const turn = (index + round) % contestants.length;
      const [{ work }, row] = [contestants[turn], table.rows[turn]];
      if (row.failure !== undefined) continue;
      try {
        await goOn();
        const { seconds, cpu, peak } = await work(round === 0 ? proof : undefined);
        row.runs.push({ seconds, cpu, peak });
        console.error(`${name}, round ${round + 1}: ${row.name}: ${seconds.toFixed(3)} s`);
      } catch (error) {
        await goOn();
        row.failure = `failed: ${String(error instanceof Error ? error.message : error).split("\n")[0]}`;
        console.error(`${name}: ${row.name} ${error}`);
      }
    }
  }
  for (const { text, judge } of goals) {
    const verdict = judge(table, tables);
    table.verdicts.push({ text, met: verdict?.met, found: verdict?.found ?? "" });
  }
  return table;
}

/** Writes the files again with every case, so that a run that breaks off leaves what it had. */
function keepReport() {
  const done = [...tables.values()];
  if (options.markdown !== undefined) writeFileSync(options.markdown, [heading, ...done].join("\n"));
  if (options.json !== undefined)
    writeFileSync(options.json, `${JSON.stringify({ ...machine, rounds, tables: done }, undefined, 1)}\n`);
}

/** For ever, once a signal has ended it all: the rest of the program must not begin anything. */
async function goOn() {
  if (interrupted) await new Promise(() => {});
}

async function cleanUp() {
  killMeasured();
  await stopDaemons();
  homes.close();
}

/** @param {string} name @param {string} pattern */
function isNamed(name, pattern) {
  return name === pattern || name.startsWith(`${pattern}-`);
}

/** @param {string} reason @returns {never} */
function fail(reason) {
  console.error(`bench: ${reason}`);
  process.exit(2);
}
