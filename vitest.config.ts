import { availableParallelism } from "node:os";
import { defineConfig, type ViteUserConfig } from "vitest/config";

/** `unit` needs neither root nor other tools; `system` needs them and says so where it skips. */
const config: ViteUserConfig = defineConfig({
  test: {
    // Also on two cores, where it would be one: a test of the system mostly waits for processes that it started, and
    // keeps to directories of its own.
    maxWorkers: Math.max(2, Math.floor(availableParallelism() / 2)),
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts"],
          testTimeout: 20_000,
          setupFiles: ["test/tools/property-runs.ts"],
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
export default config;
