import { describe, expect, test } from "vitest";
import type { DiffID } from "../digest/chain-id.ts";
import { digestOf, hexOf } from "../digest/digest.ts";
import { parseImageConfig } from "./config.ts";
import { v1Layers } from "./v1-id.ts";

const FIRST: DiffID = "sha256:41692063a993765cdce26542d8ebe9540cd1c5b3106df49d92ea1471d36173c4";
const SECOND: DiffID = "sha256:90e0561d6b04b616fc44f9ab64754489f25de1bd9a54b51977be8c7c9858380f";
const CHAIN = "sha256:df4d80f8188eadc6f9ead6b9a575efd989e41d8fc8732aebd0eebe51675b774f";
const EMPTY =
  '"container_config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,' +
  '"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"",' +
  '"Entrypoint":null,"OnBuild":null,"Labels":null}';
const BOTTOM = "729d00023af370d4b1198fd82fe94bce6ce86326f09f752fc7c85ab4ead96cf6";

describe("v1 ids", () => {
  const config = parseImageConfig(
    Buffer.from(
      `{"parent":"${FIRST}","id":"x","created":"2020-01-01T00:00:00.100+02:00","os":"linux","comment":"c","Size":9007199254740993,` +
        `"unknown":1,"rootfs":{"diff_ids":["${FIRST}","${SECOND}"]},"history":[{}]}`,
    ),
  );
  const [bottom, top] = v1Layers(config, [FIRST, SECOND]);

  test("of a lower layer is the one that dockerd gave it", () => {
    expect(bottom).toMatchObject({ id: BOTTOM, diffID: FIRST, chainID: FIRST });
    expect(bottom!.json.toString()).toBe(`{"id":"${BOTTOM}","created":"1970-01-01T00:00:00Z",${EMPTY},"os":"linux"}`);
  });

  test("of the top layer covers the image's own fields, its layers and the layer below", () => {
    const fields = `"created":"2020-01-01T00:00:00.1+02:00",${EMPTY}`;
    const hashed =
      `{"Size":9007199254740993,"comment":"c",${EMPTY},"created":"2020-01-01T00:00:00.1+02:00","layer_id":"${CHAIN}",` +
      `"os":"linux","parent":"sha256:${BOTTOM}"}`;
    const id = hexOf(digestOf(hashed));
    expect(top).toMatchObject({ id, diffID: SECOND, chainID: CHAIN });
    expect(top!.json.toString()).toBe(
      `{"id":"${id}","parent":"${BOTTOM}","comment":"c",${fields},"os":"linux","Size":9007199254740993}`,
    );
  });

  test("depend on the zone in which a daemon writes the epoch", () => {
    const [inBerlin] = v1Layers(config, [FIRST, SECOND], { seconds: 0, nanoseconds: 0, offset: 3600 });
    expect(inBerlin!.json.toString()).toContain('"created":"1970-01-01T01:00:00+01:00"');
    expect(inBerlin!.id).not.toBe(BOTTOM);
  });

  test("do not cover the parent that a config claims", () => {
    const claiming = parseImageConfig(Buffer.from(`{"rootfs":{},"parent":"${FIRST}"}`));
    const [only] = v1Layers(claiming, [FIRST]);
    expect(only).toEqual(v1Layers({ ...claiming, parent: "" }, [FIRST])[0]);
    expect(only!.json.toString()).not.toContain("parent");
  });

  test("of no layers are none", () => {
    expect(v1Layers(config, [])).toEqual([]);
  });
});
