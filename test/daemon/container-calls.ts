/** What both daemons are asked about containers: first what only looks, then what changes something. */
import { gzipSync } from "node:zlib";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { type ApiCall, filters, get, json, post, put, remove } from "./api-calls.ts";
import { BASE_TAR } from "./fixture.ts";

/** The containers of the fixture. */
const NAMES = ["web", "ran", "healthy", "failed", "killed", "a.long_name-1", "moved", "by-id", "by-short-id"];

export function containerLookCalls(): ApiCall[] {
  return [...lists(), ...inspections(), ...archives(), ...absent()];
}

function lists(): ApiCall[] {
  const list = (query: string, more: Partial<ApiCall> = {}): ApiCall => get(`/containers/json?${query}`, more);
  return [
    list(""),
    list("all=1"),
    list("all=true&size=1"),
    list("all=None"),
    list("limit=2"),
    list("all=1&limit=0"),
    list("limit=-1"),
    list("limit=x", { differs: "mistakes" }),
    list("since=web&before=ran&all=1"),
    ...FILTERS.map((value) => list(`all=1&${filters(value)}`)),
    ...REFUSED_FILTERS.map((value) => list(filters(value))),
    ...WRONG_FILTERS.map((value) => list(filters(value), { differs: "mistakes" })),
    list(filters({ status: ["exited"] })),
    list(`limit=1&${filters({ status: ["created"] })}`),
    list(`size=1&${filters({ name: ["ran"] })}`),
    get("/v1.12/containers/json?all=1"),
    get("/v1.20/containers/json?all=1&size=1"),
    get("/v1.24/containers/json?all=1"),
  ];
}

const FILTERS: readonly object[] = [
  ...[{ name: ["web"] }, { name: ["^/web$"] }, { name: ["a."] }, { name: ["["] }, { name: ["WEB", "ran"] }],
  ...[
    { name: { moved: true } },
    { name: null },
    { name: [] },
    { id: ["zzz"] },
    { id: [""] },
    { id: [], name: ["web"] },
  ],
  ...[{ label: ["a"] }, { label: ["a=b"] }, { label: ["a=c"] }, { label: ["a", "empty="] }, { label: [] }],
  ...[{ status: ["created"] }, { status: ["exited"] }, { status: ["running"] }, { status: ["exited", "created"] }],
  ...[{ exited: ["3"] }, { exited: ["0", "137"] }, { exited: ["127"] }, { exited: [] }],
  ...[{ health: ["none"] }, { health: ["healthy"] }, { health: ["unhealthy", "starting"] }],
  ...[{ ancestor: ["box:1"] }, { ancestor: ["base:1"] }, { ancestor: ["nope"] }, { ancestor: ["kid:1", "other:2"] }],
  ...[{ before: ["ran"] }, { since: ["ran"] }, { before: ["moved"], since: ["web"] }, { since: ["/web"] }],
  ...[{ volume: ["named"] }, { volume: ["/data"] }, { volume: ["/host"] }, { volume: ["nope"] }],
  ...[{ network: ["none"] }, { network: ["bridge", "default"] }, { network: ["nope"] }],
  ...[{ publish: ["80"] }, { publish: ["8080/tcp"] }, { expose: ["80-100/tcp"] }, { expose: ["53/udp"] }],
  ...[{ "is-task": ["true"] }, { "is-task": ["false"] }, { isolation: ["default"] }],
  { name: ["web", "moved"], label: ["a"], status: ["created"] },
];
const REFUSED_FILTERS: readonly object[] = [
  ...[{ unheard: ["of"] }, { status: ["sleeping"] }, { health: ["ill"] }, { "is-task": ["maybe"] }],
];
/** 20.10 calls these its own mistakes. */
const WRONG_FILTERS: readonly unknown[] = [
  ...[{ exited: ["x"] }, { before: ["nope"] }, { since: ["nope"] }, { publish: ["1:2"] }, { publish: ["x"] }],
  ...[{ expose: ["70000"] }, { label: "a" }, "{", []],
];

function inspections(): ApiCall[] {
  const strangers = ["nope", "%20", "web/x", "WEB", "a%2Fb", "f".repeat(64), "we", "-"];
  return [
    ...NAMES.flatMap((name) => [get(`/containers/${name}/json`), changes(name)]),
    ...strangers.flatMap((name) => [get(`/containers/${name}/json`), get(`/containers/${name}/changes`)]),
    get("/containers//web/json", { differs: "paths" }),
    get("/containers/%2Fweb/json", { differs: "paths" }),
    get("/containers/../json", { differs: "paths" }),
    get("/containers/ran/json?size=1"),
    get("/containers/ran/json?size=0"),
    get("/v1.12/containers/a.long_name-1/json"),
    get("/v1.19/containers/web/json?size=1"),
    get("/v1.20/containers/a.long_name-1/json"),
    get("/v1.21/containers/a.long_name-1/json"),
    get("/v1.40/containers/killed/json"),
  ];
}

/** Docker lists what is in one directory in no certain order. */
function changes(name: string): ApiCall {
  return get(`/containers/${name}/changes`, { unordered: true });
}

function archives(): ApiCall[] {
  const paths = [
    ...["/", "/.", ".", "..", "etc", "/etc", "/etc/", "/etc/.", "//etc//", "/etc/../bin/./sh", "/odd", "/odd/dir"],
    ...["/odd/abs", "/odd/abs/", "/odd/abs/.", "/odd/rel", "/odd/dangling", "/odd/dirlink", "/odd/dirlink/", "/odd/up"],
    ...["/odd/dirlink/a", "/odd/chain", "/odd/chain/", "/odd/chain/file", "/odd/up/x", "/odd/hard"],
    ...["/odd/fifo", "/odd/null", "/odd/block", "/odd/setuid", "/odd/sticky", "/odd/old"],
    ...["/odd/gr%C3%BCn", "/odd/a+b%26c%3Dd%25%2B", "/usr", "/usr/new", "/nope", "/odd/nope/x", "/bin/vi", ""],
  ];
  const broken = ["/odd/old/", "/odd/old/.", "/odd/old/x", "/odd/loop", "/odd/loop/", "%00"];
  return [
    ...paths.flatMap((path) => [
      { method: "HEAD", path: `/containers/ran/archive?path=${path}` },
      get(`/containers/ran/archive?path=${path}`),
    ]),
    get("/containers/ran/archive?path=/odd/dangling/"),
    ...broken.map((path) => get(`/containers/ran/archive?path=${path}`, { differs: "places" })),
    { method: "HEAD", path: "/containers/ran/archive?path=/odd/no%FFutf8" },
    get("/containers/ran/archive?path=/odd/no%FFutf8", { differs: "names" }),
    get("/containers/ran/archive"),
    get("/containers/nope/archive?path=/"),
    { method: "HEAD", path: "/containers/nope/archive?path=/" },
    get("/containers/base:1/archive?path=/"),
    get("/containers/ran/archive?path=/odd/big", { headers: { "Accept-Encoding": "gzip" } }),
    get("/containers/ran/archive?path=/odd/big", { headers: { "Accept-Encoding": "br, deflate;q=0.5, gzip;q=0.1" } }),
    get("/containers/ran/archive?path=/odd/big", { headers: { "Accept-Encoding": "identity" } }),
    ...["/data", "/named", "/host", "/t"].map((path) => get(`/containers/a.long_name-1/archive?path=${path}`)),
    get("/containers/web/export"),
    get("/containers/ran/export"),
    get("/containers/nope/export"),
  ];
}

function absent(): ApiCall[] {
  return [
    get("/volumes"),
    get("/volumes/named"),
    ...[{ dangling: ["true"] }, { dangling: ["0"] }, { name: ["nam"] }, { driver: ["local"] }, { driver: ["nfs"] }].map(
      (value) => get(`/volumes?${filters(value)}`),
    ),
    get(`/volumes?${filters({ dangling: ["maybe"] })}`),
    get(`/volumes?${filters({ unheard: ["of"] })}`),
    remove("/volumes/named", { differs: "volumes" }),
    get("/volumes/nope"),
    remove("/volumes/nope"),
    get("/networks", { differs: "networks" }),
    get("/networks/nope"),
    remove("/networks/nope"),
    get("/plugins"),
    get("/plugins/nope/json"),
    post("/containers/web/copy"),
  ];
}

export function containerChangeCalls(): ApiCall[] {
  return [...copies(), ...commits(), ...creations(), ...renames(), ...removals(), ...prunes()];
}

function copies(): ApiCall[] {
  const copy = (query: string, body: Uint8Array | string | undefined, more: Partial<ApiCall> = {}): ApiCall =>
    put(`/containers/web/archive?${query}`, { body, ...more });
  const tar = tarOf([{ name: "new/" }, { name: "new/file", content: "new" }]);
  return [
    copy("path=/", tar),
    get("/containers/web/archive?path=/new/file"),
    changes("web"),
    copy("path=/new", gzipSync(tar)),
    get("/containers/web/archive?path=/new/new/file"),
    copy("path=/nope", tar),
    copy("path=/new/file", tar, { differs: "mistakes" }),
    copy("path=", tar),
    copy("", tar),
    copy("path=/", ""),
    copy("path=/", "hello", { differs: "archives" }),
    copy("path=/", tar.subarray(0, 1000), { differs: "archives" }),
    put("/containers/nope/archive?path=/", { body: tar }),
    copy("path=/&noOverwriteDirNonDir=1", tarOf([{ name: "new", content: "no directory" }]), { differs: "archives" }),
    copy("path=/&noOverwriteDirNonDir=1", tarOf([{ name: "new/file/" }]), { differs: "archives" }),
    copy("path=/", tarOf([{ name: "new", content: "no directory" }])),
    get("/containers/web/archive?path=/new"),
    copy("path=/&copyUIDGID=1", BASE_TAR),
    copy("path=/", tarOf([{ name: "../../up", content: "up" }])),
    copy("path=/etc", tarOf([{ name: "../../../up", content: "up" }]), { differs: "archives" }),
    changes("web"),
    get("/containers/web/json?size=1"),
    copy("path=/etc", tarOf([{ name: "soft", type: "2", linkname: "../../x" }]), { differs: "archives" }),
    put("/containers/a.long_name-1/archive?path=/", { body: tar, differs: "mistakes" }),
  ];
}

function commits(): ApiCall[] {
  const commit = (query: string, body?: unknown, more: Partial<ApiCall> = {}): ApiCall =>
    post(`/commit?${query}`, { ...json(body), ...more });
  return [
    commit("container=web&repo=made&tag=1&comment=hey&author=me"),
    get("/images/made:1/json"),
    get("/images/made:1/history"),
    commit("container=web&repo=made&tag=2&changes=CMD+a&changes=ENV+A%3Db", { Cmd: ["x"], Env: ["C=d"] }),
    get("/images/made:2/json"),
    commit("container=ran&repo=made&tag=3&pause=0", null),
    get("/images/made:3/json"),
    commit("container=by-id", {}),
    commit("container=nope"),
    commit("container="),
    commit(""),
    commit("container=web&changes=RUN+a"),
    commit("container=web", undefined, { headers: { "Content-Type": "text/plain" } }),
    commit("container=web", undefined, { body: "{}", headers: { "Content-Type": "text/plain" } }),
    commit("container=web", undefined, {
      body: "{",
      headers: { "Content-Type": "application/json" },
      differs: "mistakes",
    }),
    commit("container=web", undefined, {
      body: "[]",
      headers: { "Content-Type": "application/json; charset=utf-8" },
      differs: "mistakes",
    }),
  ];
}

function creations(): ApiCall[] {
  const create = (query: string, body?: unknown, more: Partial<ApiCall> = {}): ApiCall =>
    post(`/containers/create?${query}`, { ...json(body), ...more });
  const text = (body: string, more: Partial<ApiCall> = {}): ApiCall =>
    create("", undefined, { body, headers: { "Content-Type": "application/json" }, ...more });
  const made = (name: string, body: unknown, query = ""): ApiCall[] => [
    create(`name=${name}${query}`, body),
    get(`/containers/${name}/json`),
    changes(name),
  ];
  const box = { Image: "box:1", Cmd: ["true"] };
  const old = (version: string, body: unknown): ApiCall[] => [
    post(`/v${version}/containers/create?name=v${version}`, json(body)),
    get(`/containers/v${version}/json`),
  ];
  return [
    ...made("new", box),
    ...made("from-image", { Image: "base:1" }),
    ...made("kid", { Image: "kid:1", Labels: { own: "label", kid: "2" }, Env: ["A=c", "B"], WorkingDir: "/a/b" }),
    ...made("with-volumes", { ...box, Volumes: { "/v": {} }, HostConfig: { Binds: ["/tmp:/t:ro", "vol:/w"] } }),
    ...made("with-ports", {
      ...box,
      ExposedPorts: { "80/tcp": {} },
      HostConfig: { PortBindings: { "80/tcp": [{ HostPort: "81" }] }, RestartPolicy: { Name: "always" } },
    }),
    ...made("with-network", {
      ...box,
      HostConfig: { NetworkMode: "none", Memory: 1 << 26, CapAdd: ["ALL"], Privileged: true },
      NetworkingConfig: { EndpointsConfig: { none: { Aliases: ["a"] } } },
    }),
    ...made("with-health", {
      ...box,
      Healthcheck: { Test: ["CMD", "true"], Interval: 1e9 },
      StopSignal: "SIGINT",
      User: "1",
    }),
    ...made("folded", { image: "box:1", CMD: "true", hostConfig: { NETWORKMODE: "none" }, unheard: "of" }),
    ...made("platformed", box, "&platform=linux/amd64"),
    ...old("1.12", { ...box, Memory: 1 << 26, CpuShares: 1, HostConfig: {} }),
    ...old("1.24", { ...box, HostConfig: { AutoRemove: true } }),
    ...old("1.39", { ...box, HostConfig: { KernelMemoryTCP: 5 } }),
    create("name=platformed-2&platform=linux/arm64", box),
    create("name=new", box),
    create("name=/new", box),
    create("name=-new", box),
    create("name=a", box),
    create("name=a/b", box),
    create("name=%C3%BC", box),
    create("", { Image: "nope:1", Cmd: ["a"] }),
    create("", { Image: "NOPE", Cmd: ["a"] }),
    create("", { Image: "other:2" }),
    create("", {}),
    create("", null),
    create("", { HostConfig: {} }),
    create("", { ...box, WorkingDir: "relative" }),
    create("", { ...box, Env: ["=a"] }),
    create("", { ...box, StopSignal: "NONE" }),
    create("", { ...box, Healthcheck: { Interval: 1 } }),
    create("", { ...box, HostConfig: { RestartPolicy: { Name: "sometimes" } } }),
    create("", { ...box, HostConfig: { RestartPolicy: { Name: "no", MaximumRetryCount: 1 } } }),
    create("", { ...box, HostConfig: { AutoRemove: true, RestartPolicy: { Name: "always" } } }),
    create("", { ...box, HostConfig: { NetworkMode: "container:" } }),
    create("", { ...box, HostConfig: { Binds: ["a:b:c:d"] } }, { differs: "mistakes" }),
    create("name=bound", { ...box, HostConfig: { Binds: ["/nope/nope"] } }),
    create("", { ...box, HostConfig: { PortBindings: { "x/tcp": [] } } }),
    create("", { ...box, HostConfig: { ExtraHosts: ["a"] } }),
    create("", { ...box, HostConfig: { CapAdd: ["SYS_NOTHING"] } }),
    create("", { ...box, NetworkingConfig: { EndpointsConfig: { a: { IPAMConfig: { IPv4Address: "x" } } } } }),
    create("", { ...box, HostConfig: 5 }, { differs: "mistakes" }),
    create("", { ...box, Cmd: 5 }, { differs: "mistakes" }),
    create("", undefined, { differs: "mistakes" }),
    create("", box, { headers: { "Content-Type": "text/plain" } }),
    create("", undefined, { body: "x" }),
    text("", { differs: "mistakes" }),
    text("{", { differs: "mistakes" }),
    text("[]", { differs: "mistakes" }),
    text('"a"', { differs: "mistakes" }),
    text("{'a':1}", { differs: "mistakes" }),
    text(`${"[".repeat(20_000)}`, { differs: "mistakes" }),
    post("/containers/create?name=rubbish", {
      body: '{"Image":"box:1","Cmd":["a"],"Labels":{"a":"1"},"labels":{"b":"2"}} and more',
      headers: { "Content-Type": "application/json; charset=utf-8" },
    }),
    get("/containers/rubbish/json"),
  ];
}

function renames(): ApiCall[] {
  const rename = (name: string, to: string): ApiCall => post(`/containers/${name}/rename?name=${to}`);
  return [
    rename("new", "renamed"),
    get("/containers/renamed/json"),
    get("/containers/new/json"),
    rename("renamed", "/slashed"),
    rename("slashed", "slashed"),
    rename("slashed", "web"),
    rename("slashed", ""),
    post("/containers/slashed/rename"),
    rename("slashed", "-"),
    rename("slashed", "a%20b"),
    rename("nope", "x"),
    rename("nope", ""),
    get("/containers/json?all=1"),
  ];
}

function prunes(): ApiCall[] {
  const prune = (value?: unknown, more: Partial<ApiCall> = {}): ApiCall =>
    post(`/containers/prune?${value === undefined ? "" : filters(value)}`, { unordered: true, ...more });
  return [
    prune({ unheard: ["of"] }),
    prune({ until: ["x"] }, { differs: "mistakes" }),
    prune({ until: ["1h", "2h"] }, { differs: "mistakes" }),
    prune("{", { differs: "mistakes" }),
    prune({ label: ["none"] }),
    prune({ until: ["24h"] }),
    prune({ label: ["own=label"] }),
    prune({ "label!": ["a=b"], label: ["kid"] }),
    get("/containers/json?all=1"),
    prune({ "label!": ["a"] }),
    get("/containers/json?all=1"),
    post("/networks/prune"),
    post("/build/prune"),
    post(`/networks/prune?${filters({ unheard: ["of"] })}`),
  ];
}

/** After these dockerd has images that nobody asked for, and less volumes. */
export function lastCalls(): ApiCall[] {
  return [
    post("/volumes/prune", { differs: "volumes" }),
    post("/commit?container=web&repo=UPPER", { differs: "mistakes" }),
    post("/commit?container=web&repo=made&tag=-1", { differs: "mistakes" }),
  ];
}

function removals(): ApiCall[] {
  return [
    remove("/containers/by-id?link=1", { differs: "mistakes" }),
    remove("/containers/nope?link=1"),
    remove("/containers/by-id"),
    remove("/containers/by-id"),
    remove("/containers/nope?force=1"),
    remove("/containers/moved?force=1&v=1"),
    remove("/v1.12/containers/nope"),
    get("/containers/json?all=1"),
    get("/system/df"),
  ];
}
