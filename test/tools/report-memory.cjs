// Preloaded into a program under test: writes its peak resident memory in KiB to a file when it ends.
process.on("exit", () => {
  require("node:fs").writeFileSync(process.env.VARVE_TEST_MEMORY, String(process.resourceUsage().maxRSS));
});
