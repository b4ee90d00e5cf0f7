import { describe } from "vitest";
import { Overlay2Driver } from "../../src/driver/overlay2/overlay2.ts";
import { VfsDriver } from "../../src/driver/vfs/vfs.ts";
import { layerStoreSuite } from "../../src/testing/layer-store-suite.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("root");

describe.skipIf(lack)(`the layer store as root${lack ?? ""}`, () => {
  layerStoreSuite({ name: "overlay2", stacks: true, open: (options) => new Overlay2Driver(options) });
  layerStoreSuite({ name: "vfs", stacks: true, open: (options) => new VfsDriver(options) });
});
