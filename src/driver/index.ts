/**
 * `varve/driver`: the contract of a driver, and what its signatures speak of. `driverSuite` of `varve/testing` holds a
 * driver to it.
 *
 * @example <caption>The layers of a driver, as it sees them</caption>
 * import type { Driver } from "varve/driver";
 *
 * function describe(driver: Driver): string {
 *   return [...driver.status(), ["Trees", `${driver.ids().length}`]].map(([name, value]) => `${name}: ${value}`).join("\n");
 * }
 */
export { type ErrorCode, type ErrorDetails, VarveError } from "../errors.ts";
export type { ApplyLimits, Semantics } from "../fstree/apply.ts";
export type { Change } from "../fstree/changes.ts";
export { type Identity, IdMap, type IdRange, type IdRanges } from "../fstree/id-map.ts";
export type { ByteSource } from "../io/byte-source.ts";
export { type ByteString, fromBytes, fromText, toBytes, toText } from "../sys/byte-string.ts";
export type { Time } from "../sys/time.ts";
export type { EntrySink, PayloadHome } from "../tar/disassemble.ts";
export type { Format, Fragment, Header } from "../tar/header.ts";
export {
  type ApplierOptions,
  type ApplyPlan,
  appliesInParallel,
  checkID,
  type DiffApplier,
  type Driver,
  type DriverOptions,
  type Durability,
  type GetOptions,
  isUsableID,
  type LayerContent,
  noTree,
  type ParallelApply,
} from "./driver.ts";
