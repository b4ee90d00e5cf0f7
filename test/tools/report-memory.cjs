// Preloaded into a program under test: writes its peak resident memory in KiB to a file when it ends. Not what
// `resourceUsage` tells, which is at least what its parent had when it started it.
process.on("exit", () => {
  const { readFileSync, writeFileSync } = require("node:fs");
  writeFileSync(process.env.VARVE_TEST_MEMORY, /VmHWM:\s*(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]);
});
