import { existsSync } from "node:fs";
import { posix } from "node:path";
import { randomID } from "../../digest/random-id.ts";
import { field, type GoStructType, goBool, goString, goStruct, optional } from "../../json/go-type.ts";
import type { HostConfig } from "./host-config.ts";
import { type MountSpec, mountSpecType } from "./mount-spec.ts";
import { refused } from "./refusal.ts";

/** What is mounted where in a container, as its record has it (Docker's `MountPoints`). */
export interface MountPoint {
  /** A path of the host. */
  readonly source: string;
  readonly destination: string;
  readonly isWritable: boolean;
  /** The volume's, if it is one. */
  readonly name: string;
  readonly driver: string;
  /** `bind`, `volume` or `tmpfs`. */
  readonly type: string;
  readonly mode: string;
  readonly propagation: string;
  readonly id: string;
  readonly spec: MountSpec;
  /** A directory of the host that is missing is an error and not to be made. */
  readonly mustExist: boolean;
}

export const mountPointType: GoStructType<MountPoint> = goStruct<MountPoint>("MountPoint", {
  source: field("Source", goString),
  destination: field("Destination", goString),
  isWritable: field("RW", goBool),
  name: field("Name", goString),
  driver: field("Driver", goString),
  type: optional("Type", goString),
  mode: optional("Relabel", goString),
  propagation: optional("Propagation", goString),
  id: optional("ID", goString),
  spec: field("Spec", mountSpecType),
  mustExist: field("SkipMountpointCreation", goBool),
});

/** A mount point to be made. */
export interface PlannedMount {
  readonly point: MountPoint;
  /** For a volume of the container's own: whether an empty one gets what the image has there. */
  readonly volume?: { readonly copiesImage: boolean };
}

/**
 * What the binds and mounts of a host config ask for. Volumes have a name but no source yet.
 *
 * @param dataRoot a mount of it must let go of what is unmounted there
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function plannedMounts({ binds, mounts, volumeDriver, tmpfs }: HostConfig, dataRoot: string): PlannedMount[] {
  const planned = new Map<string, PlannedMount>();
  const add = (mount: PlannedMount, isTaken: boolean, shown: string): void => {
    if (isTaken) throw refused(`Duplicate mount point: ${shown}`);
    planned.set(mount.point.destination, mount);
  };
  for (const bind of binds ?? []) {
    const mount = inRoot(parseBind(bind, volumeDriver), dataRoot);
    const { destination } = mount.point;
    add(mount, planned.has(destination) || tmpfs?.has(destination) === true, destination);
  }
  for (const spec of mounts ?? []) {
    const mount = inRoot(pointOf(spec, { sourceMustExist: true }), dataRoot);
    const mustExist = spec.type === "bind";
    add({ ...mount, point: { ...mount.point, mustExist } }, planned.has(mount.point.destination), spec.target);
  }
  return [...planned.values()];
}

/** @throws VarveError `invalid-argument` with Docker's text */
export function checkMountSpec(spec: MountSpec, { sourceMustExist }: { readonly sourceMustExist: boolean }): void {
  const wrong = whatIsWrong(spec, sourceMustExist);
  if (wrong !== undefined) throw refused(`invalid mount config for type "${spec.type}": ${wrong}`);
}

/** @throws VarveError `invalid-argument` with Docker's text, for a place where nothing can be mounted */
export function checkTarget(target: string): void {
  const wrong = wrongTarget(target);
  if (wrong !== undefined) throw refused(wrong);
}

/**
 * `CONTAINER[:MODE]` of `--volumes-from`.
 *
 * @throws VarveError `invalid-argument` with Docker's text
 */
export function parseVolumesFrom(text: string): { readonly container: string; readonly isWritable: boolean } {
  if (text === "") throw refused("volumes-from specification cannot be an empty string");
  const at = text.indexOf(":");
  if (at < 0) return { container: text, isWritable: true };
  const mode = text.slice(at + 1);
  const words = mode.split(",");
  if (!isMode(mode) || words.some((word) => PROPAGATIONS.includes(word) || word === "nocopy"))
    throw refused(`invalid mode: ${mode}`);
  return { container: text.slice(0, at), isWritable: !words.includes("ro") };
}

const PROPAGATIONS = ["private", "rprivate", "slave", "rslave", "shared", "rshared"];
const MODES = [["rw", "ro"], ["Z", "z"], PROPAGATIONS, ["nocopy"], ["consistent", "cached", "delegated"]];

/** `[SOURCE:]TARGET[:MODE]`; a path is a directory of the host, and anything else is a volume. */
function parseBind(bind: string, volumeDriver: string): PlannedMount {
  const parts = bind.split(":");
  const invalid = `invalid volume specification: '${bind}'`;
  if (parts.length > 3 || parts[0] === "" || (parts.length === 2 && isMode(parts[1]!))) throw refused(invalid);
  const [source, target, mode = ""] = parts.length === 1 ? ["", parts[0]!] : (parts as [string, string, string?]);
  if (!isMode(mode)) throw refused(`invalid mode: ${mode}`);
  const words = mode.split(",");
  const propagation = words.find((word) => PROPAGATIONS.includes(word));
  const isVolume = !source.startsWith("/");
  const noCopy = words.includes("nocopy");
  const hasDriver = volumeDriver !== "" && isVolume;
  const spec: MountSpec = {
    ...mountSpecType.zero,
    type: isVolume ? "volume" : "bind",
    source,
    target,
    readOnly: words.includes("ro"),
    volumeOptions:
      hasDriver || noCopy
        ? { noCopy, labels: null, driverConfig: hasDriver ? { name: volumeDriver, options: null } : null }
        : null,
    bindOptions: propagation === undefined ? null : { propagation, nonRecursive: false },
  };
  const wrong = whatIsWrong(spec, false);
  if (wrong !== undefined) throw refused(`${invalid}: invalid mount config for type "${spec.type}": ${wrong}`);
  const { point, ...rest } = pointOf(spec, { sourceMustExist: false });
  return { ...rest, point: { ...point, mode } };
}

/** One word of each kind at most. */
function isMode(mode: string): boolean {
  if (mode === "") return true;
  const words = mode.split(",");
  return (
    words.every((word) => MODES.some((kind) => kind.includes(word))) &&
    MODES.every((kind) => words.filter((word) => kind.includes(word)).length <= 1)
  );
}

function pointOf(spec: MountSpec, options: { readonly sourceMustExist: boolean }): PlannedMount {
  checkMountSpec(spec, options);
  const isVolume = spec.type === "volume";
  const isBind = spec.type === "bind";
  const { volumeOptions } = spec;
  return {
    point: {
      ...mountPointType.zero,
      destination: cleanPath(spec.target),
      isWritable: !spec.readOnly,
      type: spec.type,
      spec,
      source: isBind ? cleanPath(spec.source) : "",
      propagation: isBind ? spec.bindOptions?.propagation || "rprivate" : "",
      name: isVolume ? spec.source || randomID() : "",
      driver: (isVolume && volumeOptions?.driverConfig?.name) || "",
    },
    ...(isVolume ? { volume: { copiesImage: volumeOptions?.noCopy !== true } } : {}),
  };
}

/** A bind of the data-root, or of what is around it, must not keep what is unmounted there. */
function inRoot(mount: PlannedMount, dataRoot: string): PlannedMount {
  const { source, bindOptions, type } = mount.point.spec;
  if (type !== "bind" || !(source.startsWith(dataRoot) || dataRoot.startsWith(source))) return mount;
  const propagation = bindOptions?.propagation ?? "";
  if (propagation === "") return { ...mount, point: { ...mount.point, propagation: "rslave" } };
  if (propagation === "rslave" || propagation === "rshared") return mount;
  throw refused(
    `invalid mount config: must use either propagation mode "rslave" or "rshared" when mount source is within the daemon root, daemon root: "${dataRoot}", bind mount source: "${source}", propagation: "${propagation}"`,
  );
}

function whatIsWrong(spec: MountSpec, sourceMustExist: boolean): string | undefined {
  if (spec.target === "") return "field Target must not be empty";
  return wrongTarget(spec.target) ?? KINDS[spec.type]?.(spec, sourceMustExist) ?? unknownKind(spec.type);
}

const KINDS: Readonly<Record<string, (spec: MountSpec, sourceMustExist: boolean) => string | undefined>> = {
  bind(spec, sourceMustExist) {
    const { source, bindOptions, volumeOptions } = spec;
    if (source === "") return "field Source must not be empty";
    const propagation = bindOptions?.propagation ?? "";
    if (propagation !== "" && !PROPAGATIONS.includes(propagation)) return `invalid propagation mode: ${propagation}`;
    if (volumeOptions !== null) return "field VolumeOptions must not be specified";
    if (!isAbsolute(source)) return notAbsolute(source);
    if (sourceMustExist && !existsSync(source)) return `bind source path does not exist: ${source}`;
    return undefined;
  },
  volume({ source, bindOptions, readOnly }) {
    if (bindOptions !== null) return "field BindOptions must not be specified";
    if (source === "" && readOnly) return "must not set ReadOnly mode when using anonymous volumes";
    return undefined;
  },
  tmpfs({ source, bindOptions }) {
    if (bindOptions !== null) return "field BindOptions must not be specified";
    return source === "" ? undefined : "field Source must not be specified";
  },
};

function unknownKind(type: string): string | undefined {
  return Object.hasOwn(KINDS, type) ? undefined : "mount type unknown";
}

function wrongTarget(target: string): string | undefined {
  if (cleanPath(target.replaceAll("\\", "/")) === "/") return "invalid specification: destination can't be '/'";
  return isAbsolute(target) ? undefined : notAbsolute(target);
}

function isAbsolute(path: string): boolean {
  return /^[/\\]/.test(path);
}

function notAbsolute(path: string): string {
  return `invalid mount path: '${path.replaceAll("\\", "/")}' mount path must be absolute`;
}

/** Go's `path.Clean`. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 ? clean.replace(/\/$/, "") : clean;
}
