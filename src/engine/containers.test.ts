import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { EMPTY_CONTAINER_CONFIG } from "../image/container-config.ts";
import { hostConfigType } from "./container/host-config.ts";
import type { NewContainer } from "./container/new-record.ts";
import { ContainerRecords, commandOf } from "./containers.ts";

let directory: string;
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), "varve-containers-")), "containers");
});
afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }));

const made: NewContainer = {
  id: "ab".repeat(32),
  name: "made",
  image: `sha256:${"1".repeat(64)}`,
  created: "2026-11-20T10:00:00Z",
  driver: "overlay2",
  config: { ...EMPTY_CONTAINER_CONFIG, entrypoint: ["/init"], cmd: ["a", "b"], labels: new Map([["x", "y"]]) },
  networkSettings: { Networks: null, IsAnonymousEndpoint: true },
  mounts: [],
  security: { appArmorProfile: "", seccompProfile: "", noNewPrivileges: false },
};
const host = hostConfigType.zero;

describe("container records", () => {
  test("what was written is found by id, prefix and name", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    expect(records.list()).toEqual([]);
    records.write(made, host);
    for (const name of [made.id, "abab", "made", "/made"]) expect(records.find(name).id).toBe(made.id);
    expect(commandOf(records.find("made"))).toBe("/init a b");
    expect(() => records.find("mad")).toThrow("No such container: mad");
    expect(readdirSync(join(directory, made.id)).sort()).toEqual(["checkpoints", "config.v2.json", "hostconfig.json"]);
    expect(statSync(join(directory, made.id, "config.v2.json")).mode & 0o777).toBe(0o600);
    records.remove(made.id);
    expect(records.list()).toEqual([]);
  });

  test("are listed by the moment at which they were made, however it is written", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    const times = ["0001-01-01T00:00:00Z", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.9Z", "2026-11-20T10:00:00.95Z"];
    const others = ["2026-11-20T12:00:01+02:00", "2026-11-20T10:00:01.000000001Z"];
    for (const [at, created] of [...times, ...others].entries())
      records.write({ ...made, id: `${at}`.repeat(64), name: `made-${at}`, created }, host);
    expect(records.list().map(({ name }) => name)).toEqual([
      "made-5",
      "made-4",
      "made-3",
      "made-2",
      "made-1",
      "made-0",
    ]);
  });

  test("a prefix of two is ambiguous, a name in use a conflict, a name that Docker refuses an error", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    records.write(made, host);
    records.write({ ...made, id: `ab${"c".repeat(62)}`, name: "other" }, host);
    expect(() => records.find("ab")).toThrow(expect.objectContaining({ code: "ambiguous" }));
    expect(() => records.checkName("made")).toThrow('The container name "/made" is already in use by container');
    expect(() => records.checkName("-x")).toThrow("Invalid container name (-x)");
    records.checkName("fine");
  });

  test("a record that cannot be read is passed over and told of", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    records.write(made, host);
    for (const [id, text] of Object.entries({ broken: "{", empty: "null", odd: '{"Name":1}' })) {
      mkdirSync(join(directory, id));
      writeFileSync(join(directory, id, "config.v2.json"), text);
    }
    mkdirSync(join(directory, "without"));
    const warnings: string[] = [];
    expect(records.list((message) => warnings.push(message)).map(({ id }) => id)).toEqual([made.id]);
    expect(warnings.map((message) => message.split(":")[0]).sort()).toEqual([
      "container broken",
      "container empty",
      "container odd",
    ]);
  });

  test("a record whose fields are not Docker's is passed over, as dockerd does; what nobody looks at may be anything", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    records.write(made, host);
    const path = join(directory, made.id, "config.v2.json");
    const whole = JSON.parse(readFileSync(path, "utf8"));
    const listed = (changes: object): number => {
      writeFileSync(path, JSON.stringify({ ...whole, ...changes }));
      return records.list().length;
    };
    for (const changes of [
      { Args: "abc" },
      { Args: [1] },
      { Created: "yesterday" },
      { Config: [] },
      { Config: { Labels: { a: 1 } } },
      { ID: "../../elsewhere" },
      { MountPoints: { "/a": 7 } },
      { MountPoints: { "/a": null } },
      { MountPoints: { "/a": { Spec: { Type: 7 } } } },
      { NetworkSettings: { Networks: [1] } },
      { NetworkSettings: { Ports: { "80/tcp": {} } } },
      { State: { StartedAt: "" } },
      { State: { Health: { Log: {} } } },
    ])
      expect([listed(changes), changes]).toEqual([0, changes]);
    for (const changes of [
      { Args: null, Config: null, Created: null, MountPoints: null, NetworkSettings: null, State: null },
      { LogPath: 7, Own: [{}], NetworkSettings: { Networks: { bridge: null }, Ports: { "80/tcp": null } } },
    ])
      expect([listed(changes), changes]).toEqual([1, changes]);
  });

  test("a host config is nothing when it is not there, and corrupt when it is none", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    records.write(made, host);
    const path = join(directory, made.id, "hostconfig.json");
    writeFileSync(path, '{"NetworkMode":"host","Own":1}');
    expect(records.hostConfigDocument(made.id)).toEqual({ NetworkMode: "host", Own: 1 });
    expect(records.hostConfig(made.id).networkMode).toBe("host");
    for (const text of ['{"Net', '{"Binds":7}', "7"]) {
      writeFileSync(path, text);
      for (const read of [() => records.hostConfig(made.id), () => records.hostConfigDocument(made.id)])
        expect(read).toThrow(expect.objectContaining({ code: "corrupt" }));
    }
    rmSync(path);
    expect(records.hostConfig(made.id)).toEqual(host);
    expect(records.hostConfigDocument(made.id)).toMatchObject({ NetworkMode: "", Binds: null });
  });

  test("what a process that died in the midst of a removal has left is no container, and goes with the next one", () => {
    const records = new ContainerRecords(directory, { idMap: undefined, sync: false });
    records.write(made, host);
    mkdirSync(join(directory, `.varve-${made.id}`, "checkpoints"), { recursive: true });
    mkdirSync(join(directory, `.varve-${"c".repeat(64)}`));
    expect(records.list().map(({ id }) => id)).toEqual([made.id]);
    records.remove(made.id);
    records.write(made, host);
    expect(readdirSync(directory)).toEqual([made.id]);
    records.remove(made.id);
    expect(readdirSync(directory)).toEqual([]);
    records.remove(made.id);
  });
});
