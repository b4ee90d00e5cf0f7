import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { DiffID } from "../digest/chain-id.ts";
import { isVarveError } from "../errors.ts";
import { parseTime } from "../json/go-time.ts";
import { EMPTY_HISTORY_ENTRY } from "./history.ts";
import { configOfV1, historyEntryOf } from "./legacy-config.ts";

const DIFF: DiffID = "sha256:41692063a993765cdce26542d8ebe9540cd1c5b3106df49d92ea1471d36173c4";
const history = [{ ...EMPTY_HISTORY_ENTRY, createdBy: "<&>" }];
const TAIL =
  '"history":[{"created":"0001-01-01T00:00:00Z","created_by":"\\u003c\\u0026\\u003e"}],' +
  `"rootfs":{"type":"layers","diff_ids":["${DIFF}"]}`;
const convert = (json: string) => configOfV1(Buffer.from(json), [DIFF], history).toString();

describe("the config of a v1 image", () => {
  test("keeps the raw values of a Docker since 1.8.3, unknown ones too", () => {
    const json =
      ' { "id":"a", "docker_version" : "1.8.3", "Size":5, "size":12345678901234567890, "parent":"b", "parent_id":"c",' +
      ' "layer_id":"d", "throwaway":true, "x":{"b": 1.50, "a":"\\u0041<"}, "x2":null, "a":1, "a":[ ], "rootfs":"gone" }';
    expect(convert(json)).toBe(
      `{"a":[],"docker_version":"1.8.3",${TAIL},"size":12345678901234567890,"x":{"b":1.50,"a":"\\u0041\\u003c"},"x2":null}`,
    );
  });

  test.each(["1.8.2", "1.8", "1.8.3-rc1", "1.8.x", "", "0.9.9", "1.7.9999999999999999999999"])(
    "is completed and stripped of the unknown when version %j wrote it",
    (version) => {
      const config = convert(
        `{"docker_version":"${version}","x":1,"Size":5,"id":"a","created":"2014-01-01T00:00:00.10Z"}`,
      );
      expect(config).toBe(
        '{"container_config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,' +
          '"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"",' +
          '"Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null},' +
          `"created":"2014-01-01T00:00:00.1Z",${version === "" ? "" : `"docker_version":"${version}",`}${TAIL}}`,
      );
    },
  );

  test.each(["1.8.3", "1.8.3.1", "1.9", "1.10.0", "20.10.24+dfsg1", "1.8.9999999999999999999999"])(
    "is taken as it is when version %s wrote it",
    (version) => {
      expect(convert(`{"docker_version":"${version}","x":1}`)).toBe(`{"docker_version":"${version}",${TAIL},"x":1}`);
    },
  );

  test("has one history entry out of the JSON", () => {
    const json =
      '{"created":"2014-01-01T00:00:00Z","author":"a","comment":"c","container_config":{"Cmd":["/bin/sh","-c","x y"]}}';
    expect(historyEntryOf(Buffer.from(json))).toEqual({
      created: parseTime("2014-01-01T00:00:00Z"),
      author: "a",
      createdBy: "/bin/sh -c x y",
      comment: "c",
      emptyLayer: false,
    });
    expect(historyEntryOf(Buffer.from("{}"))).toEqual(EMPTY_HISTORY_ENTRY);
  });

  test("is an invalid-archive error for whatever is no v1 image", () => {
    expect(() => convert("[]")).toThrow("cannot unmarshal array");
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((json) => `{"docker_version":"9","config":${json}}`),
        ),
        (text) => {
          for (const work of [() => convert(text), () => historyEntryOf(Buffer.from(text))])
            try {
              work();
            } catch (error) {
              expect(isVarveError(error, "invalid-archive")).toBe(true);
            }
        },
      ),
    );
  });
});
