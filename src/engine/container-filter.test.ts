import { describe, expect, test } from "vitest";
import { selectContainers } from "./container-filter.ts";
import type { Container } from "./containers.ts";
import type { Workspace } from "./workspace.ts";

function container(name: string, record: object = {}): Container {
  const id = Buffer.from(name).toString("hex").padEnd(64, "0");
  const created = "2026-11-20T10:00:00Z";
  return {
    id,
    name,
    image: `sha256:${"1".repeat(64)}`,
    created,
    running: false,
    driver: "overlay2",
    record: { ...record },
  };
}

const nobody = {} as Workspace;
const select = (containers: Container[], filters: Record<string, string[]>): string[] =>
  selectContainers(nobody, containers, { filters }).map(({ name }) => name);

describe("filters of containers", () => {
  test("an expression that others would think about for ever holds nobody up", () => {
    expect(select([container("a".repeat(60))], { name: ["^(a+)+$", "^(a|a)*b$"] })).toEqual(["a".repeat(60)]);
    expect(select([container(`${"a".repeat(60)}b`)], { name: ["^(a+)+$"] })).toEqual([]);
  });

  test("open ports are asked for by their place inside or on the host", () => {
    const Ports = { "80/tcp": [{ HostIp: "", HostPort: "8080" }], "53/udp": null };
    const web = container("web", { NetworkSettings: { Ports } });
    for (const filters of [
      { expose: ["80"] },
      { expose: ["50-60/udp"] },
      { publish: ["8080"] },
      { publish: ["8000-9000"] },
    ])
      expect(select([web, container("other")], filters), JSON.stringify(filters)).toEqual(["web"]);
    expect(select([web], { publish: ["80"] })).toEqual([]);
    expect(() => select([web], { publish: ["90-80"] })).toThrow("Invalid range specified for the Port: 90-80");
    expect(() => select([web], { publish: ["70000"] })).toThrow("value out of range");
  });

  test("a record without anything is none that fits", () => {
    const bare = container("bare");
    for (const filters of [{ label: ["a"] }, { network: ["a"] }, { volume: ["a"] }, { exited: ["0"] }])
      expect(select([bare], filters)).toEqual([]);
    expect(select([bare], { status: ["created"], health: ["none"], "is-task": ["false"] })).toEqual(["bare"]);
  });
});
