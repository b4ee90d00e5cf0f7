/** What both daemons are asked, in this order: calls that change something come after those that only look. */
import { type ApiCall, filters, get, post, remove } from "./api-calls.ts";
import { containerChangeCalls, containerLookCalls, lastCalls } from "./container-calls.ts";
import { BASE_TAR, OTHER_TAR, type Pair } from "./fixture.ts";

const HEX = "1".repeat(64);

export function callsOf({ archive, fresh }: Pick<Pair, "archive" | "fresh">): ApiCall[] {
  return [
    ...systemCalls(),
    ...listCalls(),
    ...lookCalls(),
    ...containerLookCalls(),
    ...refusedCalls(),
    ...transferCalls(archive, fresh),
    ...containerChangeCalls(),
    ...changingCalls(),
    ...lastCalls(),
  ];
}

function systemCalls(): ApiCall[] {
  const version = ["ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion"];
  const info = [
    ...["Containers", "ContainersRunning", "ContainersPaused", "ContainersStopped", "Images", "Driver", "DriverStatus"],
    ...[
      "KernelVersion",
      "OperatingSystem",
      "OSType",
      "Architecture",
      "IndexServerAddress",
      "NCPU",
      "MemTotal",
      "Swarm",
    ],
    ...["GenericResources", "DockerRootDir", "Name", "Labels", "ExperimentalBuild", "LiveRestoreEnabled", "Isolation"],
  ];
  return [
    get("/_ping"),
    { method: "HEAD", path: "/_ping" },
    get("/v1.41/_ping"),
    get("/v1.12/_ping"),
    get("/v1.11/_ping"),
    get("/v1/_ping"),
    get("/v1.42/_ping"),
    get("/v1.99/images/json"),
    get("/v1.22/images/nope/json"),
    get("/v1.23/images/nope/json"),
    get("/v1.24/images/nope/json"),
    get("/vx/_ping"),
    get("/nowhere"),
    get("/v1.41/nowhere"),
    get("/"),
    post("/_ping"),
    { method: "PUT", path: "/images/json" },
    { method: "HEAD", path: "/images/json" },
    { method: "OPTIONS", path: "/images/json" },
    get("/images/json/"),
    get("/images//json", { differs: "paths" }),
    get("/version", { only: version }),
    get("/v1.24/version", { only: version }),
    get("/info", { only: info }),
    get("/system/df"),
    get("/events?since=1&until=2"),
    get("/events?since=10&until=5"),
    get("/events?since=x", { differs: "mistakes" }),
    get("/events?until=x", { differs: "mistakes" }),
    get(`/events?since=1&until=2&${filters("{")}`, { differs: "mistakes" }),
    get(`/events?since=1&until=2&${filters({ unheard: ["of"] })}`),
  ];
}

function listCalls(): ApiCall[] {
  const list = (value: unknown, more: Partial<ApiCall> = {}): ApiCall => get(`/images/json?${filters(value)}`, more);
  return [
    get("/images/json"),
    get("/v1.24/images/json"),
    get("/v1.12/images/json"),
    get("/images/json?all=1"),
    get("/images/json?all=true&digests=1"),
    get("/images/json?all=maybe"),
    get("/images/json?all=0"),
    get("/images/json?all=None"),
    get("/images/json?filter=ba*"),
    get("/v1.24/images/json?filter=ba*"),
    get("/v1.27/images/json?filter=ba*"),
    get("/v1.28/images/json?filter=ba*"),
    get("/images/json?filters="),
    list("null"),
    list("{}"),
    list({ dangling: ["true"] }),
    list({ dangling: ["false"] }),
    list({ dangling: ["true", "false"] }),
    list({ dangling: { true: true } }),
    list({ dangling: ["1"] }),
    list({ dangling: ["maybe"] }),
    list({ label: ["kid"] }),
    list({ label: ["stage=prod"] }),
    list({ label: { "stage=prod": true, kid: true } }),
    list({ label: ["stage=test"] }),
    list({ label: ["who=a <b> & c"] }),
    list({ before: ["kid:1"] }),
    list({ before: ["base:1"] }),
    list({ since: ["base:1"] }),
    list({ since: ["nope"] }),
    list({ before: ["NOPE"] }),
    list({ reference: ["ba*"] }),
    list({ reference: ["base:l*"] }),
    list({ reference: ["localhost:5000/*/*"] }),
    list({ reference: ["*/*/*"] }),
    list({ reference: ["base", "other"] }),
    list({ reference: ["nothing"] }),
    list({ reference: ["[]"] }, { differs: "mistakes" }),
    list({ reference: ["ba*"], label: ["stage"], since: ["other:2"] }),
    list({ until: ["1s"] }, { differs: "until" }),
    list({ unheard: ["of"] }),
    list("{", { differs: "mistakes" }),
    list("[]", { differs: "mistakes" }),
    list({ label: "kid" }, { differs: "mistakes" }),
  ];
}

function lookCalls(): ApiCall[] {
  const digest = `a@sha256:${HEX}`;
  const names = ["base:1", "base", "kid:1", "other:2", "localhost:5000/a/b:c", "docker.io/library/base:1"];
  const strangers = ["nope", "nope:1", "NOPE", "%20", "sha256:zz", `sha256:${HEX}`, HEX, digest, "a%2Fb", "-", "a:b:c"];
  return [
    ...names.flatMap((name) => [get(`/images/${name}/json`), get(`/images/${name}/history`)]),
    ...strangers.flatMap((name) => [get(`/images/${name}/json`), get(`/images/${name}/history`)]),
    get("/v1.12/images/base:1/json"),
    get("/v1.24/images/kid:1/history"),
    get("/images/localhost%3A5000%2Fa%2Fb%3Ac/json"),
  ];
}

function refusedCalls(): ApiCall[] {
  return [
    post("/containers/web/attach", { differs: "running" }),
    get("/containers/web/stats?stream=0", { differs: "running" }),
    post("/containers/web/exec", { differs: "running", body: "{}" }),
    get("/images/search?term=x", { differs: "registries" }),
    post("/images/base/push", { differs: "registries" }),
    post("/auth", { differs: "registries" }),
    post("/images/create?fromImage=127.0.0.1:1/x&tag=1", { differs: "registries" }),
    post("/images/create?fromSrc=127.0.0.1:1/x", { differs: "fetching" }),
    post("/images/create", { differs: "fetching" }),
  ];
}

function transferCalls(archive: Buffer, fresh: Buffer): ApiCall[] {
  const load = (body: Buffer | string | undefined, query = "", more: Partial<ApiCall> = {}): ApiCall =>
    post(`/images/load${query}`, { body, ...more });
  const make = (query: string, body: Buffer = OTHER_TAR, more: Partial<ApiCall> = {}): ApiCall =>
    post(`/images/create?fromSrc=-&${query}`, { body, ...more });
  return [
    get("/images/base:1/get"),
    get("/images/get?names=base:1"),
    get("/images/get?names=base:1&names=localhost:5000/a/b:c"),
    get("/images/get?names=base"),
    get("/images/get?names=nope"),
    get("/images/nope:1/get"),
    get("/images/get?names=base:1&names=nope"),
    get("/images/get?names=", { differs: "mistakes" }),
    get("/images/get", { differs: "nothing" }),
    load(archive),
    load(archive, "?quiet=1"),
    load(archive, "?quiet=0"),
    load(fresh),
    remove("/images/fresh:1"),
    load(fresh, "?quiet=1"),
    remove("/images/fresh:1"),
    load("hello", "", { differs: "archives" }),
    load(archive.subarray(0, 3000), "", { differs: "archives" }),
    load("", "?quiet=1", { differs: "archives" }),
    make("repo=imp&tag=3&changes=CMD+a&changes=LABEL+a%3Db&message=hey"),
    make("repo=imp:4"),
    make("repo=imp:4&tag=5"),
    make("repo=localhost:5000/imp&platform=linux/arm64"),
    make(""),
    make("repo=UPPER"),
    make("repo=imp:3&tag=-3"),
    make(`repo=x@sha256:${HEX}`),
    make("changes=RUN+a"),
    make("changes=FOO"),
    make("changes=CMD+%5B%22a%22&repo=imp:6"),
    make("platform=windows"),
    make("repo=bad:1", Buffer.from("hello"), { differs: "archives" }),
    make("repo=compressed", BASE_TAR),
    get("/images/imp:3/json"),
    get("/images/imp:3/history"),
    get("/images/imp:5/json"),
    get("/images/imp:6/json"),
    get("/images/compressed/history"),
    get("/images/json?all=1"),
    get("/system/df"),
  ];
}

function changingCalls(): ApiCall[] {
  const tag = (query: string, more: Partial<ApiCall> = {}): ApiCall => post(`/images/base:1/tag?${query}`, more);
  return [
    tag("repo=new&tag=2"),
    tag("repo=new:1&tag=2"),
    tag("repo=new"),
    tag("repo=localhost:5000/x/y&tag=z"),
    tag("repo=UPPER", { differs: "mistakes" }),
    tag("", { differs: "mistakes" }),
    tag("repo=new&tag=-2", { differs: "mistakes" }),
    tag(`repo=new@sha256:${HEX}`),
    tag(`repo=${HEX}`, { differs: "mistakes" }),
    post("/images/nope/tag?repo=UPPER"),
    post("/images/NOPE/tag?repo=a"),
    get("/images/json"),
    remove("/images/nope"),
    remove("/images/NOPE"),
    remove("/images/other:2"),
    remove("/images/new:2"),
    remove("/images/new:2"),
    remove("/images/new"),
    remove("/images/kid:1?noprune=1"),
    post(`/images/prune?${filters({ unheard: ["of"] })}`),
    post(`/images/prune?${filters({ dangling: ["maybe"] })}`),
    post(`/images/prune?${filters({ until: ["x"] })}`, { differs: "mistakes" }),
    post(`/images/prune?${filters({ until: ["1h", "2h"] })}`, { differs: "mistakes" }),
    post(`/images/prune?${filters({ label: ["none"] })}`),
    post(`/images/prune?${filters({ until: ["24h"] })}`),
    post(`/images/prune?${filters({ "label!": ["dangling"] })}`, { unordered: true }),
    post("/images/prune", { unordered: true }),
    post("/images/prune"),
    remove("/images/imp:3?force=1"),
    remove("/images/localhost:5000/a/b:c"),
    remove("/images/other:2?force=1"),
    post(`/images/prune?${filters({ dangling: ["false"] })}`, { unordered: true }),
    get("/images/json?all=1"),
    get("/system/df"),
  ];
}
