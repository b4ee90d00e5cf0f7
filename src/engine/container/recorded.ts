import { VarveError } from "../../errors.ts";
import { parseTime } from "../../json/go-time.ts";

/** What is read of a `config.v2.json`; whatever else it has is there too, and unknown. */
export interface RecordedContainer {
  readonly [field: string]: unknown;
  readonly ID?: string | null;
  readonly Name: string;
  readonly Image: string;
  readonly Created?: string | null;
  readonly Driver?: string | null;
  readonly State?: { readonly Running?: boolean | null } | null;
}

/**
 * Holds a record against the types that its fields have in Docker, which passes over a container when one is another, as
 * far as anybody here looks at them. As in Go, `null` and what is missing fit everywhere, but for what no container is without.
 *
 * @returns a field that is wrong, `undefined` for a record
 */
export function wrongFieldOf(record: unknown): string | undefined {
  return (
    RECORD(record, "") ?? ["Name", "Image"].find((name) => typeof (record as RecordedContainer)[name] !== "string")
  );
}

/** @returns the path of what is wrong below `path` */
type Check = (value: unknown, path: string) => string | undefined;

function ofKind(kind: "string" | "number" | "boolean"): Check {
  return (value, path) => (typeof value === kind ? undefined : path);
}

const TEXT = ofKind("string");
const NUMBER = ofKind("number");
const FLAG = ofKind("boolean");

const TIME: Check = (value, path) => {
  try {
    parseTime(value as string);
    return typeof value === "string" ? undefined : path;
  } catch (error) {
    if (!(error instanceof VarveError)) throw error;
    return path;
  }
};

function listOf(item: Check): Check {
  return (value, path) => (Array.isArray(value) ? firstWrong(value.entries(), () => item, path) : path);
}

function mapOf(member: Check): Check {
  return (value, path) => (isObject(value) ? firstWrong(Object.entries(value), () => member, path) : path);
}

function struct(fields: Readonly<Record<string, Check>>): Check {
  return (value, path) =>
    isObject(value)
      ? firstWrong(
          Object.keys(fields).map((name) => [name, value[name]]),
          (name) => fields[name]!,
          path,
        )
      : path;
}

function firstWrong<Name extends string | number>(
  members: Iterable<readonly [Name, unknown]>,
  checkOf: (name: Name) => Check,
  path: string,
): string | undefined {
  for (const [name, value] of members) {
    const wrong = value === null || value === undefined ? undefined : checkOf(name)(value, `${path}.${name}`);
    if (wrong !== undefined) return wrong;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const NETWORK = struct({ NetworkID: TEXT });
const PORT = listOf(struct({ HostIp: TEXT, HostPort: TEXT }));
const MOUNTS = mapOf(
  struct({
    ...{ Type: TEXT, Name: TEXT, Source: TEXT, Destination: TEXT, Driver: TEXT, Relabel: TEXT, Propagation: TEXT },
    ...{ RW: FLAG, Spec: struct({}) },
  }),
);

const RECORD = struct({
  ...{ ID: TEXT, Name: TEXT, Image: TEXT, Created: TIME, Driver: TEXT, Managed: FLAG, Path: TEXT, Args: listOf(TEXT) },
  State: struct({
    ...{ Running: FLAG, Paused: FLAG, Restarting: FLAG, RemovalInProgress: FLAG, Dead: FLAG, ExitCode: NUMBER },
    ...{
      StartedAt: TIME,
      FinishedAt: TIME,
      Health: struct({ Status: TEXT, FailingStreak: NUMBER, Log: listOf(struct({})) }),
    },
  }),
  Config: struct({ Image: TEXT, Labels: mapOf(TEXT) }),
  NetworkSettings: struct({ Networks: mapOf(NETWORK), Ports: mapOf(PORT) }),
  MountPoints: (value, path) => (isObject(value) && Object.values(value).includes(null) ? path : MOUNTS(value, path)),
});
