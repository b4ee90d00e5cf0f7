/**
 * `varve/driver`: the contract of a driver, and what its signatures speak of. Errors and names in bytes are those of
 * `varve`, the entries of layers those of `varve/tar`. `driverSuite` of `varve/testing` holds a driver to the contract.
 *
 * @example <caption>What a driver tells of itself</caption>
 * import type { Driver } from "varve/driver";
 *
 * function describe(driver: Driver): string {
 *   return [...driver.status(), ["Trees", `${driver.ids().length}`]].map(([name, value]) => `${name}: ${value}`).join("\n");
 * }
 */
export type { ApplyLimits, Semantics } from "../fstree/apply.ts";
export type { Change } from "../fstree/changes.ts";
export { type Identity, IdMap, type IdRange, type IdRanges } from "../fstree/id-map.ts";
export {
  type ApplierOptions,
  type ApplyPlan,
  appliesInParallel,
  type ContentPlan,
  checkID,
  type DiffApplier,
  type Driver,
  type DriverOptions,
  type Durability,
  type GetOptions,
  hasPlainContent,
  isUsableID,
  type LayerContent,
  noTree,
  type ParallelApply,
  type PlainContent,
  type RemoveOptions,
  type View,
} from "./driver.ts";
