import { describe } from "vitest";
import { Overlay2Driver } from "../../src/driver/overlay2/overlay2.ts";
import { VfsDriver } from "../../src/driver/vfs/vfs.ts";
import { IdMap } from "../../src/fstree/id-map.ts";
import type { DriverUnderTest } from "../../src/testing/driver-suite.ts";
import { graphSuite } from "../../src/testing/graph-suite.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

const overlay2: DriverUnderTest = { name: "overlay2", stacks: true, open: (options) => new Overlay2Driver(options) };
const vfs: DriverUnderTest = { name: "vfs", stacks: true, open: (options) => new VfsDriver(options) };
const idMap = new IdMap(
  [{ container: 0, host: 200_000, size: 65_536 }],
  [{ container: 0, host: 300_000, size: 65_536 }],
);

describe.skipIf(lack)(`as root${lack ?? ""}`, () => {
  for (const driver of [overlay2, vfs]) {
    graphSuite(driver);
    graphSuite(driver, { idMap });
  }
});
