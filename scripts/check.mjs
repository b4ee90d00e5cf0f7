// Runs every check at the same time and prints what each one said in one piece, in the order below. All of them run to
// their end, so that one run tells everything that is wrong; it fails when any of them does.
import { spawn } from "node:child_process";

const CHECKS = [
  ["biome", "check", "."],
  ["tsc", "--noEmit"],
  ["tsc", "-p", "bench"],
  ["vitest", "run", "--project", "unit"],
];

// Fewer cases of each property than in `npm test`, because this is for every save.
const env = { VARVE_PROPERTY_RUNS: "20", ...process.env };

const running = CHECKS.map(run);
for (const result of running) {
  const { name, output, failure } = await result;
  process.stdout.write(output);
  if (failure === undefined) continue;
  console.error(`${name}: ${failure}`);
  process.exitCode = 1;
}

function run([command, ...args]) {
  return new Promise((resolve) => {
    const name = [command, ...args].join(" ");
    const output = [];
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    child.stdout.on("data", (chunk) => output.push(chunk));
    child.stderr.on("data", (chunk) => output.push(chunk));
    child.on("error", (error) => resolve({ name, output: Buffer.concat(output), failure: error.message }));
    child.on("close", (status, signal) => {
      const failure = status === 0 ? undefined : signal === null ? `failed with ${status}` : `ended by ${signal}`;
      resolve({ name, output: Buffer.concat(output), failure });
    });
  });
}
