import { RootlessDriver } from "../driver/rootless/rootless.ts";
import { layerStoreSuite } from "../testing/layer-store-suite.ts";

layerStoreSuite({ name: "rootless", stacks: false, open: (options) => new RootlessDriver(options) });
