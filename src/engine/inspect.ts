import type { DiffID } from "../digest/chain-id.ts";
import { containerConfigType } from "../image/container-config.ts";
import type { Image, ImageID } from "../image/image.ts";
import { formatTime, ZERO_TIME } from "../json/go-time.ts";
import { type GoStruct, toPlain } from "../json/go-value.ts";
import { familiarString } from "../reference/reference.ts";
import type { Workspace } from "./workspace.ts";

/** What `docker image inspect` of 20.10 answers, under Docker's names and in their order. */
export interface InspectedImage {
  readonly Id: ImageID;
  /** Familiar, `name:tag`. */
  readonly RepoTags: readonly string[];
  /** Familiar, `name@digest`. */
  readonly RepoDigests: readonly string[];
  /** Empty where there is none. */
  readonly Parent: ImageID | "";
  readonly Comment: string;
  /** RFC 3339 with nanoseconds. */
  readonly Created: string;
  readonly Container: string;
  readonly ContainerConfig: InspectedConfig;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: InspectedConfig | null;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly OsVersion?: string;
  /** Bytes of all its layers. */
  readonly Size: number;
  readonly VirtualSize: number;
  readonly GraphDriver: { readonly Data: Readonly<Record<string, string>> | null; readonly Name: string };
  /** DiffIDs, bottom first. */
  readonly RootFS: { readonly Type: string; readonly Layers?: readonly DiffID[] };
  readonly Metadata: { readonly LastTagTime: string };
}

/** How containers of an image are to be run. `null` and what is absent is not set. */
export interface InspectedConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  /** Its keys are such as `80/tcp`. */
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  /** `NAME=value` each. */
  readonly Env: readonly string[] | null;
  readonly Cmd: readonly string[] | null;
  /** Durations are nanoseconds. */
  readonly Healthcheck?: {
    readonly Test?: readonly string[];
    readonly Interval?: number;
    readonly Timeout?: number;
    readonly StartPeriod?: number;
    readonly Retries?: number;
  };
  readonly ArgsEscaped?: boolean;
  readonly Image: string;
  /** Its keys are paths. */
  readonly Volumes: Readonly<Record<string, object>> | null;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[] | null;
  readonly NetworkDisabled?: boolean;
  readonly MacAddress?: string;
  readonly OnBuild: readonly string[] | null;
  readonly Labels: Readonly<Record<string, string>> | null;
  readonly StopSignal?: string;
  /** Seconds. */
  readonly StopTimeout?: number;
  readonly Shell?: readonly string[];
}

/** @param graphData the driver's metadata of the top layer; `null` for an image without layers */
export function inspectImage(
  { images, references, driver }: Workspace,
  image: Image,
  graphData: Readonly<Record<string, string>> | null,
): InspectedImage {
  const { id, config } = image;
  const named = references.referencesOf(id);
  const size = images.size(id);
  const answer: GoStruct = {
    Id: id,
    RepoTags: named.filter(({ digest }) => digest === undefined).map(familiarString),
    RepoDigests: named.filter(({ digest }) => digest !== undefined).map(familiarString),
    Parent: images.parent(id) ?? "",
    Comment: config.comment || (config.history?.at(-1)?.comment ?? ""),
    Created: formatTime(config.created),
    Container: config.container,
    ContainerConfig: containerConfigType.write(config.containerConfig),
    DockerVersion: config.dockerVersion,
    Author: config.author,
    Config: config.config === null ? null : containerConfigType.write(config.config),
    Architecture: config.architecture,
    Variant: config.variant || undefined,
    Os: config.os || "linux",
    OsVersion: config.osVersion || undefined,
    Size: size,
    VirtualSize: size,
    GraphDriver: { Data: graphData === null ? null : new Map(Object.entries(graphData)), Name: driver.name },
    RootFS: { Type: config.rootfs.type, Layers: image.diffIDs.length > 0 ? [...image.diffIDs] : undefined },
    Metadata: { LastTagTime: formatTime(images.lastUpdated(id) ?? ZERO_TIME) },
  };
  return toPlain(answer) as InspectedImage;
}
