import { expect, test } from "vitest";
import { statusText } from "./container-document.ts";

const NOW = Date.parse("2026-01-01T12:00:00Z");

test.each([
  [{ Status: "created" }, "Created"],
  [{ Status: "dead" }, "Dead"],
  [{ Status: "removing" }, "Removal In Progress"],
  [{ Status: "exited", ExitCode: 137, FinishedAt: "2026-01-01T09:00:00.123456789Z" }, "Exited (137) 3 hours ago"],
  [{ Status: "restarting", ExitCode: 1, FinishedAt: "2026-01-01T11:59:55Z" }, "Restarting (1) 5 seconds ago"],
  [{ Status: "running", StartedAt: "2026-01-01T11:58:30Z" }, "Up About a minute"],
  [{ Status: "paused", StartedAt: "2025-12-30T12:00:00Z" }, "Up 2 days (Paused)"],
])("a container with the state %j is shown as %s", (state, text) => {
  expect(statusText(state, NOW)).toBe(text);
});
