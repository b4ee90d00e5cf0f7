import { defineConfig, type ViteUserConfig } from "vitest/config";

/** `unit` needs neither root nor other tools; `system` needs them and says so where it skips. */
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts"],
          testTimeout: 20_000,
          setupFiles: ["test/tools/property-runs.ts"],
          isolate: false,
        },
      },
      {
        test: {
          name: "system",
          include: ["test/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
export default config;
