/**
 * `varve/testing`: one suite per contract, which every implementation runs, those of Varve and those from elsewhere. A
 * suite is called in a vitest file with something to try; it declares its own tests, makes its own temporary directories
 * and leaves nothing. It needs vitest and fast-check, which are optional peers of Varve: install them beside it.
 *
 *     npm install --save-dev varve vitest fast-check
 *
 * | contract | suites |
 * |---|---|
 * | `Driver` of `varve/driver` | `driverSuite`; and `layerStoreSuite`, with Varve's layer store on the driver |
 * | `LayerMetadata` | `layerMetadataSuite` |
 * | `ImageBackend` | `imageBackendSuite` |
 *
 * A driver that mounts has to be tried by root. `listTree` and `compareTrees` see all that one file tree may have other
 * than another.
 *
 * @example <caption>mine.test.ts: a driver from elsewhere keeps what every driver promises</caption>
 * import { type DriverUnderTest, driverSuite, layerStoreSuite } from "varve/testing";
 *
 * const mine: DriverUnderTest = { name: "mine", stacks: true, open: (options) => new MyDriver(options) };
 * driverSuite(mine);
 * layerStoreSuite(mine);
 *
 * @example <caption>Compare two trees</caption>
 * import { expect, test } from "vitest";
 * import { compareTrees, listTree } from "varve/testing";
 *
 * test("a copy is what it was made from", () => {
 *   expect(compareTrees(listTree("/srv/original"), listTree("/srv/copy"), [".:mtime"])).toEqual([]);
 * });
 */
export type { ImageBackend } from "../image/backend.ts";
export type { GoInteger } from "../json/go-type.ts";
export type { Descriptor } from "../layer/layer.ts";
export type {
  BeginOptions,
  LayerMetadata,
  LayerRecord,
  LayerTransaction,
  Leftover,
  MountRecord,
  MountRemoval,
  MountTransaction,
  Removal,
  SplitSink,
} from "../layer/metadata.ts";
export { type DriverUnderTest, driverSuite } from "./driver-suite.ts";
export { imageBackendSuite, type OpenedImageBackend } from "./image-backend-suite.ts";
export { type LayerMetadataUnderTest, layerMetadataSuite } from "./layer-metadata-suite.ts";
export { layerStoreSuite } from "./layer-store-suite.ts";
export { compareTrees, listTree, type TreeRecord } from "./tree-listing.ts";
