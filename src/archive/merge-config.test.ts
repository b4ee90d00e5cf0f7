import { describe, expect, test } from "vitest";
import { type ContainerConfig, EMPTY_CONTAINER_CONFIG } from "../image/container-config.ts";
import { mergeConfig } from "./merge-config.ts";

const container: ContainerConfig = {
  ...EMPTY_CONTAINER_CONFIG,
  user: "their-user",
  workingDir: "/theirs",
  stopSignal: "9",
  exposedPorts: new Set(["1/tcp"]),
  volumes: new Set(["/v"]),
  env: ["A=1", "B=2", "B=3"],
  labels: new Map([
    ["a", "theirs"],
    ["b", "theirs"],
  ]),
  cmd: ["their-cmd"],
  entrypoint: ["their-entrypoint"],
  healthcheck: { test: ["CMD", "x"], interval: 1, timeout: 2, startPeriod: 3, retries: 4 },
};

function merged(own: Partial<ContainerConfig>): ContainerConfig {
  return mergeConfig({ ...EMPTY_CONTAINER_CONFIG, ...own }, container);
}

describe("a committed config", () => {
  test("takes over what it does not say", () => {
    expect(merged({})).toEqual(container);
    expect(mergeConfig(EMPTY_CONTAINER_CONFIG, EMPTY_CONTAINER_CONFIG)).toEqual({
      ...EMPTY_CONTAINER_CONFIG,
      labels: new Map(),
    });
  });

  test("keeps what it says, and adds what is missing", () => {
    const own: Partial<ContainerConfig> = {
      user: "own",
      workingDir: "/own",
      stopSignal: "1",
      exposedPorts: new Set(["2/tcp"]),
      volumes: new Set(["/w"]),
      env: ["B=own", "C=4"],
      labels: new Map([["b", "own"]]),
      healthcheck: { test: null, interval: 10, timeout: 0, startPeriod: 0, retries: 0 },
    };
    expect(merged(own)).toMatchObject({
      user: "own",
      workingDir: "/own",
      stopSignal: "1",
      exposedPorts: new Set(["2/tcp", "1/tcp"]),
      volumes: new Set(["/w", "/v"]),
      env: ["B=own", "C=4", "A=1"],
      labels: new Map([
        ["a", "theirs"],
        ["b", "own"],
      ]),
      healthcheck: { test: ["CMD", "x"], interval: 10, timeout: 2, startPeriod: 3, retries: 4 },
    });
  });

  test.each<[string, Partial<ContainerConfig>, Partial<ContainerConfig>]>([
    ["a command alone", { cmd: ["own"] }, { cmd: ["own"], entrypoint: ["their-entrypoint"] }],
    ["an entry point alone", { entrypoint: ["own"] }, { cmd: null, entrypoint: ["own"] }],
    ["an entry point that is emptied", { entrypoint: [] }, { cmd: ["their-cmd"], entrypoint: [] }],
    ["both", { cmd: ["c"], entrypoint: ["e"] }, { cmd: ["c"], entrypoint: ["e"] }],
  ])("with %s", (_, own, expected) => {
    expect(merged(own)).toMatchObject(expected);
  });
});
