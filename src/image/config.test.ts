import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DiffID } from "../digest/chain-id.ts";
import { isVarveError } from "../errors.ts";
import { parseTime } from "../json/go-time.ts";
import { formatGo } from "../json/go-value.ts";
import { EMPTY_IMAGE_CONFIG, formatImageConfig, type ImageConfig, parseImageConfig, rootFSOf } from "./config.ts";
import {
  type ContainerConfig,
  containerConfigType,
  EMPTY_CONTAINER_CONFIG,
  type Healthcheck,
} from "./container-config.ts";
import { EMPTY_HISTORY_ENTRY, extendsHistory, type HistoryEntry, historySteps, sameHistoryEntry } from "./history.ts";
import { parseImage } from "./image.ts";

const DIFF: DiffID = "sha256:41692063a993765cdce26542d8ebe9540cd1c5b3106df49d92ea1471d36173c4";
const SECOND: DiffID = "sha256:90e0561d6b04b616fc44f9ab64754489f25de1bd9a54b51977be8c7c9858380f";
const CHAIN = "sha256:df4d80f8188eadc6f9ead6b9a575efd989e41d8fc8732aebd0eebe51675b774f";

/** FORMATS 3.8, what `docker import` of 20.10 wrote. */
const EMPTY_JSON =
  '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,' +
  '"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,' +
  '"OnBuild":null,"Labels":null}';
const IMPORTED =
  '{"architecture":"amd64","comment":"Imported from -","config":{"Hostname":"","Domainname":"","User":"",' +
  '"AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"80/tcp":{}},"Tty":false,' +
  '"OpenStdin":false,"StdinOnce":false,"Env":["A=b","PATH=/bin"],"Cmd":["/bin/sh"],"Image":"","Volumes":null,' +
  `"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{"x":"y"}},"container_config":${EMPTY_JSON},` +
  '"created":"2026-11-20T17:42:39.258407694Z","docker_version":"20.10.24+dfsg1",' +
  '"history":[{"created":"2026-11-20T17:42:39.258407694Z","comment":"Imported from -"}],"os":"linux",' +
  `"rootfs":{"type":"layers","diff_ids":["${DIFF}"]}}`;

describe("a config object", () => {
  test("made of the same values is the one that docker import made", () => {
    const created = parseTime("2026-11-20T17:42:39.258407694Z");
    const config: ImageConfig = {
      ...EMPTY_IMAGE_CONFIG,
      architecture: "amd64",
      comment: "Imported from -",
      config: {
        ...EMPTY_CONTAINER_CONFIG,
        exposedPorts: new Set(["80/tcp"]),
        env: ["A=b", "PATH=/bin"],
        cmd: ["/bin/sh"],
        labels: new Map([["x", "y"]]),
      },
      created,
      dockerVersion: "20.10.24+dfsg1",
      history: [{ ...EMPTY_HISTORY_ENTRY, created, comment: "Imported from -" }],
      os: "linux",
      rootfs: rootFSOf([DIFF]),
    };
    expect(formatImageConfig(config).toString()).toBe(IMPORTED);
    expect(parseImageConfig(Buffer.from(IMPORTED))).toEqual(config);
  });

  test("has everything that Docker puts there, in its order", () => {
    const full: ContainerConfig = {
      ...EMPTY_CONTAINER_CONFIG,
      healthcheck: { test: ["CMD", "x"], interval: 9007199254740993n, timeout: 1, startPeriod: 2, retries: 3 },
      argsEscaped: true,
      networkDisabled: true,
      macAddress: "m",
      stopSignal: "s",
      stopTimeout: 0,
      shell: ["sh"],
      volumes: new Set(["/b", "/a"]),
    };
    expect(formatGo(containerConfigType.write(full)).toString()).toBe(
      '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,' +
        '"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Healthcheck":{"Test":["CMD","x"],' +
        '"Interval":9007199254740993,"Timeout":1,"StartPeriod":2,"Retries":3},"ArgsEscaped":true,"Image":"",' +
        '"Volumes":{"/a":{},"/b":{}},"WorkingDir":"","Entrypoint":null,"NetworkDisabled":true,"MacAddress":"m",' +
        '"OnBuild":null,"Labels":null,"StopSignal":"s","StopTimeout":0,"Shell":["sh"]}',
    );
  });

  test("written and read again is the same", () => {
    fc.assert(
      fc.property(configs, (config) => {
        const raw = formatImageConfig(config);
        expect(parseImageConfig(raw)).toEqual(config);
        expect(formatImageConfig(parseImageConfig(raw))).toEqual(raw);
        expect(Object.keys(JSON.parse(raw.toString()))).toEqual(Object.keys(JSON.parse(raw.toString())).sort());
      }),
      { numRuns: 30 },
    );
  });

  test.each([
    ["", "unexpected end of JSON input"],
    ["null", "invalid image JSON, no RootFS key"],
    ["{}", "invalid image JSON, no RootFS key"],
    ['{"rootfs":null}', "invalid image JSON, no RootFS key"],
    ['{"rootfs":[]}', "json: cannot unmarshal array"],
    ['{"rootfs":{"diff_ids":[1]}}', "Image.rootfs.diff_ids of type string"],
    ["[]", "json: cannot unmarshal array"],
    ['{"rootfs":{}} x', "after top-level value"],
  ])("%s is refused: %s", (raw, message) => {
    expect(() => parseImageConfig(Buffer.from(raw))).toThrow(message);
  });

  test("no bytes make anything but a config or an invalid-archive error", () => {
    const near = fc.json().map((json) => `{"rootfs":{"diff_ids":["a"]},"history":[{}],"config":${json},"os":"x"}`);
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), near.map(Buffer.from)), (raw) => {
        try {
          expect(parseImageConfig(raw).rootfs).toBeDefined();
        } catch (error) {
          expect(isVarveError(error, "invalid-archive")).toBe(true);
        }
      }),
    );
  });
});

describe("an image", () => {
  test("is its bytes, and names its stack of layers", () => {
    const raw = Buffer.from(` {"RootFS":{"diff_ids":["${DIFF}","${SECOND}"]}}\n`);
    const image = parseImage(raw);
    expect(image).toMatchObject({ raw, diffIDs: [DIFF, SECOND], chainID: CHAIN });
    raw.fill(0);
    expect(image.raw.toString()).toContain(DIFF);
    expect(parseImage(Buffer.from('{"rootfs":{}}'))).toMatchObject({ diffIDs: [], chainID: undefined });
  });
});

describe("history", () => {
  const entry = (createdBy: string, emptyLayer = false): HistoryEntry => ({
    ...EMPTY_HISTORY_ENTRY,
    createdBy,
    emptyLayer,
  });

  test("pairs entries with the layers that they made", () => {
    const steps = historySteps([entry("a"), entry("b", true), entry("c"), entry("d")], [DIFF, SECOND]);
    expect(steps.map(({ entry, chainID }) => [entry.createdBy, chainID])).toEqual([
      ["a", DIFF],
      ["b", undefined],
      ["c", CHAIN],
      ["d", undefined],
    ]);
    expect(historySteps(null, [DIFF])).toEqual([]);
  });

  test("compares moments, not zones", () => {
    const at = (time: string) => ({ ...entry("a"), created: parseTime(time) });
    expect(sameHistoryEntry(at("2026-01-01T01:00:00+01:00"), at("2026-01-01T00:00:00Z"))).toBe(true);
    expect(sameHistoryEntry(at("2026-01-01T01:00:00Z"), at("2026-01-01T00:00:00Z"))).toBe(false);
    expect(sameHistoryEntry(entry("a"), entry("a", true))).toBe(false);
    expect(sameHistoryEntry(entry("a"), { ...entry("a"), comment: "c" })).toBe(false);
    expect(sameHistoryEntry(entry("a"), { ...entry("a"), author: "c" })).toBe(false);
  });

  test("of a child is its parent's and one entry more, or there is none on either side", () => {
    const [a, b, c] = [entry("a"), entry("b"), entry("c")];
    expect(extendsHistory([a, b], [a])).toBe(true);
    expect(extendsHistory([a], [])).toBe(true);
    expect(extendsHistory(null, [])).toBe(true);
    expect(extendsHistory([a], null)).toBe(true);
    expect(extendsHistory([a, b], [b])).toBe(false);
    expect(extendsHistory([a, b, c], [a])).toBe(false);
    expect(extendsHistory([a], [a])).toBe(false);
    expect(extendsHistory(null, [a])).toBe(false);
  });
});

const texts = fc.string({ unit: "grapheme" });
const lists = fc.option(fc.array(texts, { maxLength: 3 }));
const sets = fc.option(fc.array(texts, { minLength: 1, maxLength: 3 }).map((keys) => new Set(keys)));
const integers = fc.oneof(
  fc.maxSafeInteger().map((value) => (value === 0 ? 0 : value)),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
);
const times = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 33 }), fc.nat(999_999_999), fc.constantFrom(0, 3600, -5400))
  .map(([seconds, nanoseconds, offset]) => ({ seconds, nanoseconds, offset }));
const healthchecks: fc.Arbitrary<Healthcheck> = fc.record({
  test: fc.option(fc.array(texts, { minLength: 1, maxLength: 3 })),
  interval: integers,
  timeout: integers,
  startPeriod: integers,
  retries: integers,
});
const containerConfigs: fc.Arbitrary<ContainerConfig> = fc.record({
  hostname: texts,
  domainname: texts,
  user: texts,
  attachStdin: fc.boolean(),
  attachStdout: fc.boolean(),
  attachStderr: fc.boolean(),
  exposedPorts: sets,
  tty: fc.boolean(),
  openStdin: fc.boolean(),
  stdinOnce: fc.boolean(),
  env: lists,
  cmd: lists,
  healthcheck: fc.option(healthchecks),
  argsEscaped: fc.boolean(),
  image: texts,
  volumes: sets,
  workingDir: texts,
  entrypoint: lists,
  networkDisabled: fc.boolean(),
  macAddress: texts,
  onBuild: lists,
  labels: fc.option(fc.array(fc.tuple(texts, texts)).map((entries) => new Map(entries))),
  stopSignal: texts,
  stopTimeout: fc.option(integers),
  shell: fc.option(fc.array(texts, { minLength: 1, maxLength: 2 })),
});
const histories: fc.Arbitrary<HistoryEntry> = fc.record({
  created: times,
  author: texts,
  createdBy: texts,
  comment: texts,
  emptyLayer: fc.boolean(),
});
const configs: fc.Arbitrary<ImageConfig> = fc.record({
  id: texts,
  parent: texts,
  comment: texts,
  created: times,
  container: texts,
  containerConfig: containerConfigs,
  dockerVersion: texts,
  author: texts,
  config: fc.option(containerConfigs),
  architecture: texts,
  variant: texts,
  os: texts,
  size: integers,
  rootfs: fc.record({ type: texts, diffIDs: fc.option(fc.constant([DIFF, SECOND])) }),
  history: fc.option(fc.array(histories, { minLength: 1, maxLength: 3 })),
  osVersion: texts,
  osFeatures: fc.option(fc.array(texts, { minLength: 1, maxLength: 3 })),
});
