import { goUnsigned } from "../../json/go-sized.ts";
import {
  type GoInteger,
  type GoStructType,
  goBool,
  goInteger,
  goMap,
  goPointer,
  goString,
  goStruct,
  optional,
} from "../../json/go-type.ts";

/** What a client asks to be mounted in a container: `Mounts` of a host config, and `Spec` of what is recorded. */
export interface MountSpec {
  /** `bind`, `volume` or `tmpfs`. */
  readonly type: string;
  /** A path of the host, or a volume's name. */
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  readonly consistency: string;
  readonly bindOptions: { readonly propagation: string; readonly nonRecursive: boolean } | null;
  readonly volumeOptions: VolumeOptions | null;
  readonly tmpfsOptions: { readonly sizeBytes: GoInteger; readonly mode: GoInteger } | null;
}

export interface VolumeOptions {
  /** Leaves a new volume empty instead of putting into it what the image has there. */
  readonly noCopy: boolean;
  readonly labels: ReadonlyMap<string, string> | null;
  readonly driverConfig: { readonly name: string; readonly options: ReadonlyMap<string, string> | null } | null;
}

export const mountSpecType: GoStructType<MountSpec> = goStruct<MountSpec>("Mount", {
  type: optional("Type", goString),
  source: optional("Source", goString),
  target: optional("Target", goString),
  readOnly: optional("ReadOnly", goBool),
  consistency: optional("Consistency", goString),
  bindOptions: optional(
    "BindOptions",
    goPointer(
      goStruct<NonNullable<MountSpec["bindOptions"]>>("BindOptions", {
        propagation: optional("Propagation", goString),
        nonRecursive: optional("NonRecursive", goBool),
      }),
    ),
  ),
  volumeOptions: optional(
    "VolumeOptions",
    goPointer(
      goStruct<VolumeOptions>("VolumeOptions", {
        noCopy: optional("NoCopy", goBool),
        labels: optional("Labels", goMap(goString)),
        driverConfig: optional(
          "DriverConfig",
          goPointer(
            goStruct<NonNullable<VolumeOptions["driverConfig"]>>("Driver", {
              name: optional("Name", goString),
              options: optional("Options", goMap(goString)),
            }),
          ),
        ),
      }),
    ),
  ),
  tmpfsOptions: optional(
    "TmpfsOptions",
    goPointer(
      goStruct<NonNullable<MountSpec["tmpfsOptions"]>>("TmpfsOptions", {
        sizeBytes: optional("SizeBytes", goInteger),
        mode: optional("Mode", goUnsigned(32)),
      }),
    ),
  ),
});
