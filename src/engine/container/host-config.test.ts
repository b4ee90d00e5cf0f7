import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isVarveError } from "../../errors.ts";
import { formatGo } from "../../json/go-value.ts";
import { type HostConfig, hostConfigType } from "./host-config.ts";
import { readConfig, readRequest } from "./request.ts";

const text = fc.string({ unit: "grapheme" });
const integer = fc.maxSafeInteger();
const orNull = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { nil: null });
const texts = orNull(fc.array(text, { maxLength: 3 }));
const textMap = fc.array(fc.tuple(text, text), { maxLength: 3 }).map((entries) => new Map(entries));
const unsigned = fc.bigInt(0n, 2n ** 64n - 1n).map((value) => (value <= 2n ** 53n - 1n ? Number(value) : value));

/** Every field with something in it, of each kind that a field has. */
const hostConfigs: fc.Arbitrary<HostConfig> = fc
  .record({
    binds: texts,
    logConfig: fc.record({ type: text, config: orNull(textMap) }),
    networkMode: text,
    portBindings: orNull(
      fc
        .array(fc.tuple(text, orNull(fc.array(fc.record({ hostIP: text, hostPort: text }), { maxLength: 2 }))))
        .map((entries) => new Map(entries)),
    ),
    restartPolicy: fc.record({ name: text, maximumRetryCount: integer }),
    privileged: fc.boolean(),
    tmpfs: textMap.map((map) => (map.size === 0 ? null : map)),
    shmSize: integer,
    consoleSize: fc.tuple(unsigned, unsigned),
    memory: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => {
      return value >= -(2n ** 53n - 1n) && value <= 2n ** 53n - 1n ? Number(value) : value;
    }),
    blkioWeight: fc.nat(65_535),
    blkioWeightDevice: orNull(fc.array(orNull(fc.record({ path: text, weight: fc.nat(65_535) })), { maxLength: 2 })),
    blkioDeviceReadBps: orNull(fc.array(orNull(fc.record({ path: text, rate: unsigned })), { maxLength: 2 })),
    deviceRequests: orNull(
      fc.array(
        fc.record({
          ...{ driver: text, count: integer, deviceIDs: texts, options: orNull(textMap) },
          capabilities: orNull(fc.array(texts, { maxLength: 2 })),
        }),
        { maxLength: 2 },
      ),
    ),
    oomKillDisable: orNull(fc.boolean()),
    pidsLimit: orNull(integer),
    ulimits: orNull(fc.array(orNull(fc.record({ name: text, hard: integer, soft: integer })), { maxLength: 2 })),
    init: orNull(fc.boolean()),
  })
  .map((fields) => ({ ...hostConfigType.zero, ...fields }));

describe("a host config", () => {
  test("comes back as it was written", () => {
    fc.assert(
      fc.property(hostConfigs, (host) => {
        expect(hostConfigType.parse(formatGo(hostConfigType.write(host)))).toEqual(host);
      }),
    );
  });

  test("and a body of anything are read, or refused as a client's mistake", () => {
    const known = Object.keys(hostConfigType.write({ ...hostConfigType.zero, init: true }));
    const key = fc.oneof(fc.constantFrom(...known), text);
    const documents = fc.oneof(fc.object({ key, maxDepth: 3 }), fc.dictionary(key, fc.jsonValue()));
    fc.assert(
      fc.property(documents, documents, documents, (config, hostConfig, networkingConfig) => {
        try {
          readRequest({
            config: JSON.parse(JSON.stringify(config)),
            hostConfig: JSON.parse(JSON.stringify(hostConfig)),
            networkingConfig: JSON.parse(JSON.stringify(networkingConfig)),
          });
        } catch (error) {
          expect(isVarveError(error, "invalid-argument"), String(error)).toBe(true);
        }
      }),
    );
  });

  test("has keys in any case, and says which value is wrong", () => {
    const { host } = readRequest({ hostConfig: { BINDS: ["/a:/b"], cpushares: 5, Unknown: [], CapAdd: "x" } });
    expect([host.binds, host.cpuShares, host.capAdd]).toEqual([["/a:/b"], 5, ["x"]]);
    for (const [hostConfig, message] of [
      [{ Memory: "1" }, "cannot unmarshal string into Go struct field HostConfig.Memory of type int64"],
      [
        { BlkioWeight: 70_000 },
        "cannot unmarshal number 70000 into Go struct field HostConfig.BlkioWeight of type uint16",
      ],
      [{ IOMaximumIOps: -1 }, "of type uint64"],
      [{ ConsoleSize: 5 }, "cannot unmarshal number 5 into Go struct field HostConfig.ConsoleSize of type array"],
      [[], "cannot unmarshal array"],
    ] as const)
      expect(() => readRequest({ hostConfig })).toThrow(message);
    expect(readRequest({ hostConfig: { ConsoleSize: [1, 2, 3] } }).host.consoleSize).toEqual([1, 2]);
    expect(readRequest({ hostConfig: { ConsoleSize: [7] } }).host.consoleSize).toEqual([7, 0]);
  });

  test("and a config without any field of its own is none", () => {
    expect(readConfig({})).toBeUndefined();
    expect(readConfig({ HostConfig: {} })).toBeUndefined();
    expect(readConfig({ image: "x" })?.image).toBe("x");
  });
});
