/**
 * Gives an inspected document the shape that it has in Docker's client, so that a template sees its absent lists and
 * maps, its times, and its records in their order, as it would there.
 */
import { Nil, Stamp, Struct, type Value } from "./template/value.ts";

type Shape = "text" | "number" | "flag" | "list" | "map" | "set" | "pointer" | "time" | RecordShape;
interface RecordShape {
  readonly name: string;
  readonly fields: Readonly<Record<string, Shape>>;
  /** The field's name in JSON where it is another one. */
  readonly keys?: Readonly<Record<string, string>>;
}

/** @param document of `docker image inspect` */
export function imageValue(document: object): Value {
  return shaped(document as Value, IMAGE);
}

/** Of a container only the config has a shape; the rest is taken as the document has it. */
export function containerValue(document: object): Value {
  const fields = Object.entries(document).map(([key, value]): [string, Value] => [
    key === "Id" ? "ID" : key,
    key === "Config" ? shaped(value, CONFIG) : value,
  ]);
  return new Struct("types.ContainerJSON", fields, document);
}

function shaped(value: Value, shape: Shape): Value {
  const absent = value === undefined || value === null;
  if (typeof shape === "object") return absent ? new Nil("pointer") : record(value as Record<string, Value>, shape);
  if (absent) return ABSENT[shape];
  if (shape === "time") return new Stamp(String(value));
  return shape === "set" ? Object.fromEntries(Object.keys(value).map((key) => [key, NOTHING])) : value;
}

function record(value: Readonly<Record<string, Value>>, { name, fields, keys }: RecordShape): Struct {
  const entries = Object.entries(fields).map(([field, shape]): [string, Value] => [
    field,
    shaped(value[keys?.[field] ?? field], shape),
  ]);
  return new Struct(name, entries, value);
}

/** The value of a set's keys, which prints as `{}`. */
const NOTHING = new Struct("struct {}", [], {});

const ABSENT: Readonly<Record<Exclude<Shape, RecordShape>, Value>> = {
  text: "",
  number: 0,
  flag: false,
  list: new Nil("list"),
  map: new Nil("map"),
  set: new Nil("map"),
  pointer: new Nil("pointer"),
  time: new Stamp("0001-01-01T00:00:00Z"),
};

const CONFIG: RecordShape = {
  name: "container.Config",
  fields: {
    Hostname: "text",
    Domainname: "text",
    User: "text",
    AttachStdin: "flag",
    AttachStdout: "flag",
    AttachStderr: "flag",
    ExposedPorts: "set",
    Tty: "flag",
    OpenStdin: "flag",
    StdinOnce: "flag",
    Env: "list",
    Cmd: "list",
    Healthcheck: "pointer",
    ArgsEscaped: "flag",
    Image: "text",
    Volumes: "set",
    WorkingDir: "text",
    Entrypoint: "list",
    NetworkDisabled: "flag",
    MacAddress: "text",
    OnBuild: "list",
    Labels: "map",
    StopSignal: "text",
    StopTimeout: "pointer",
    Shell: "list",
  },
};

const IMAGE: RecordShape = {
  name: "types.ImageInspect",
  fields: {
    ID: "text",
    RepoTags: "list",
    RepoDigests: "list",
    Parent: "text",
    Comment: "text",
    Created: "text",
    Container: "text",
    ContainerConfig: CONFIG,
    DockerVersion: "text",
    Author: "text",
    Config: CONFIG,
    Architecture: "text",
    Variant: "text",
    Os: "text",
    OsVersion: "text",
    Size: "number",
    VirtualSize: "number",
    GraphDriver: { name: "types.GraphDriverData", fields: { Data: "map", Name: "text" } },
    RootFS: { name: "types.RootFS", fields: { Type: "text", Layers: "list", BaseLayer: "text" } },
    Metadata: { name: "types.ImageMetadata", fields: { LastTagTime: "time" } },
  },
  keys: { ID: "Id" },
};
