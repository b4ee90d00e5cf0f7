// Preloaded into a program under test: kills it, as nobody can ward off, when its main thread is about to change a file
// for the time VARVE_TEST_KILL_AT, counted from 0. Without that it writes to VARVE_TEST_CHANGES how many changes there were.
const fs = require("node:fs");
const { syncBuiltinESMExports } = require("node:module");
const { isMainThread } = require("node:worker_threads");

const CHANGES = [
  "writeSync",
  "writeFileSync",
  "renameSync",
  "linkSync",
  "mkdirSync",
  "rmSync",
  "unlinkSync",
  "chmodSync",
];
const { VARVE_TEST_KILL_AT: killAt, VARVE_TEST_CHANGES: report } = process.env;
let changes = 0;

if (isMainThread) {
  const { writeFileSync } = fs;
  for (const name of [...CHANGES, "fsyncSync"]) {
    const original = fs[name];
    fs[name] = (...args) => {
      if (String(changes++) === killAt) process.kill(process.pid, "SIGKILL");
      return original(...args);
    };
  }
  syncBuiltinESMExports();
  if (report !== undefined) process.on("exit", () => writeFileSync(report, String(changes)));
}
