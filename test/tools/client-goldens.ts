/**
 * What Debian's `docker` 20.10.24 prints for given API documents. The list of what is asked is here; the answers lie in
 * `test/fixtures/docker-client.json`, where tests that have no such client find them. `test/cli/docker-client.test.ts`
 * asks the real client again and says when the file no longer tells the truth.
 */
import { readFileSync } from "node:fs";

export const GOLDENS_PATH: URL = new URL("../fixtures/docker-client.json", import.meta.url);

export interface Goldens {
  readonly client: string;
  readonly images: readonly Golden[];
  readonly history: readonly Golden[];
  readonly inspect: readonly Golden[];
}

/** The arguments after the command, and what came of them. */
export interface Golden {
  readonly args: readonly string[];
  readonly zone: string;
  readonly output: string;
  readonly error: string;
}

export function readGoldens(): Goldens {
  return JSON.parse(readFileSync(GOLDENS_PATH, "utf8"));
}

const HOUR = 3600;
const DAY = 24 * HOUR;
const hex = (digit: string): string => `sha256:${digit.repeat(64)}`;

/** An image as `GET /images/json` lists it; `age` in seconds stands for a creation time that is relative to now. */
export interface ListedImage {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly age?: number;
  readonly Created?: number;
  readonly Size: number;
}

const NAMELESS = { RepoTags: ["<none>:<none>"], RepoDigests: ["<none>@<none>"] };

const AGES = [
  0,
  1,
  30,
  59,
  60,
  119,
  150,
  59.5 * 60,
  HOUR + 100,
  2 * HOUR,
  2.6 * HOUR,
  47 * HOUR,
  47.6 * HOUR,
  3 * DAY,
  13.9 * DAY,
  14.1 * DAY,
  20 * DAY,
  59 * DAY,
  61 * DAY,
  200 * DAY,
  729 * DAY,
  731 * DAY,
  3000 * DAY,
];
const SIZES = [
  0, 4, 999, 1000, 1023, 9995, 9999, 99_950, 99_949, 999_499, 999_500, 999_999, 1_000_000, 1_234_567, 2_125_000,
  2_135_000, 12_345_678, 123_456_789, 999_500_000, 1_000_000_000, 1_230_000_000_000, 5_555_555_555, 33_450_000,
];

export const LISTED_IMAGES: readonly ListedImage[] = [
  { Id: hex("a"), RepoTags: ["tiny:1"], RepoDigests: [], age: 150, Size: 1_982_266 },
  {
    Id: hex("b"),
    RepoTags: ["localhost:5000/a/b:c", "localhost:5000/a/b:latest"],
    RepoDigests: [`localhost:5000/a/b@${hex("1")}`, `localhost:5000/a/b@${hex("2")}`],
    age: 3 * DAY,
    Size: 33_450_000,
  },
  { Id: hex("c"), RepoTags: [], RepoDigests: [`only/digest@${hex("3")}`], age: 20 * DAY, Size: 0 },
  { Id: hex("d"), ...NAMELESS, age: 200 * DAY, Size: 123_456_789 },
  ...AGES.map((age, at) => ({ Id: hex("e"), RepoTags: [`age:${at}`], RepoDigests: [], age, Size: SIZES[at]! })),
];

export const DATED_IMAGES: readonly ListedImage[] = [0, 1_795_211_718, 1_780_000_000, -62_135_596_800].map(
  (Created, at) => ({ Id: hex(String(at)), RepoTags: [`date:${at}`], RepoDigests: [], Created, Size: SIZES[at + 10]! }),
);

export const OLDEST_IMAGES: readonly ListedImage[] = DATED_IMAGES.slice(-1);

export const IMAGES_ARGS: readonly (readonly string[])[] = [
  [],
  ["--digests"],
  ["-q"],
  ["--no-trunc"],
  ["--no-trunc", "--digests"],
  ["-q", "--no-trunc"],
  ["--format", "table"],
  ["--format", "table {{.ID}}\\t{{.Repository}}\\t{{.Size}}"],
  ["--format", "table {{upper .ID}}: {{.Tag | lower}}\\t{{.Digest}}"],
  ["--format", "table {{.Repository}}", "--digests"],
  ["--format", "{{.Repository}}:{{.Tag}} {{.CreatedSince}}"],
  ["--format", "{{json .Repository}} {{.VirtualSize}} {{.Containers}} {{.SharedSize}} {{.UniqueSize}}"],
  ["--format", "raw", "-q"],
  ["--format", "{{.Foo}}"],
  ["--format", "{{.ID"],
];

export const DATED_ARGS: readonly (readonly string[])[] = [
  ["--format", "{{.CreatedAt}} {{.Size}}"],
  ["--format", "table {{.Tag}}\\t{{.CreatedAt}}\\t{{.ID}}"],
];
/** Only the date of the year 1 is so old that its age does not depend on today's. */
export const OLDEST_ARGS: readonly (readonly string[])[] = [[], ["--format", "{{json .}}"], ["--format", "raw"]];

export interface ListedStep {
  readonly Id: string;
  readonly age?: number;
  readonly Created?: number;
  readonly CreatedBy: string;
  readonly Comment: string;
  readonly Size: number;
}

export const HISTORY: readonly ListedStep[] = [
  { Id: hex("a"), age: 150, CreatedBy: "/bin/sh -c #(nop)  EXPOSE 80/tcp", Comment: "", Size: 0 },
  { Id: hex("b"), age: 3 * DAY, CreatedBy: "/bin/sh -c #(nop)  LABEL z=<w>&", Comment: "a\tb", Size: 4 },
  { Id: "<missing>", age: 20 * DAY, CreatedBy: `/bin/sh -c echo\t${"long ".repeat(20)}`, Comment: "", Size: 1_982_266 },
  {
    Id: "<missing>",
    age: 20 * DAY,
    CreatedBy: `RUN 漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字漢字`,
    Comment: "c",
    Size: 1,
  },
  { Id: "<missing>", age: 20 * DAY, CreatedBy: "x".repeat(45), Comment: "", Size: 1 },
  { Id: "<missing>", age: 20 * DAY, CreatedBy: "x".repeat(46), Comment: "", Size: 1 },
  { Id: "<missing>", age: 20 * DAY, CreatedBy: `é${"x".repeat(46)}`, Comment: "", Size: 1 },
];
export const DATED_HISTORY: readonly ListedStep[] = HISTORY.map(({ age, ...step }, at) => ({
  ...step,
  Created: at === 6 ? -62_135_596_800 : 1_780_000_000 + at * 10_000_000,
}));

export const HISTORY_ARGS: readonly (readonly string[])[] = [
  [],
  ["--no-trunc"],
  ["-q"],
  ["-q", "--no-trunc"],
  ["--format", "table {{.ID}}: {{.CreatedBy}}\\t{{.Size}}"],
  ["--format", "{{.ID}} {{.CreatedSince}} {{.Comment}}"],
  ["--format", "{{.Nope}}"],
];
export const DATED_HISTORY_ARGS: readonly (readonly string[])[] = [
  ["-H=false"],
  ["-H=false", "--no-trunc"],
  ["--format", "{{.CreatedAt}}"],
];

/** An image as `GET /images/x/json` gives it. */
export const INSPECTED: object = {
  Id: "sha256:7766f4faedbb89d63da484218f5971db41496a88c70357eef0f4137ebfaec470",
  RepoTags: ["tiny:2", "other/name:v3"],
  RepoDigests: [],
  Parent: "sha256:7f15e935c833fdc10e32f5fd9dcbbad42a7ed586afb58ca20153e7748662cd72",
  Comment: "",
  Created: "2026-11-20T21:54:45.051270674Z",
  Container: "",
  ContainerConfig: null,
  DockerVersion: "20.10.24+dfsg1",
  Author: "",
  Config: {
    Hostname: "",
    Domainname: "",
    User: "",
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    ExposedPorts: { "80/tcp": {} },
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Env: ["A=b", "PATH=/bin"],
    Cmd: ["/bin/sh"],
    Image: "sha256:7f15e935c833fdc10e32f5fd9dcbbad42a7ed586afb58ca20153e7748662cd72",
    Volumes: null,
    WorkingDir: "",
    Entrypoint: null,
    OnBuild: null,
    Labels: { "org.example.name": "A B", x: "y", z: "<w>&" },
  },
  Architecture: "amd64",
  Os: "linux",
  Size: 1982270,
  VirtualSize: 1982270,
  GraphDriver: { Data: { UpperDir: "/o/diff", WorkDir: "/o/work" }, Name: "overlay2" },
  RootFS: { Type: "layers", Layers: [hex("4"), hex("5")] },
  Metadata: { LastTagTime: "2026-11-20T21:54:45.058681657Z" },
};

export const INSPECT_FORMATS: readonly string[] = [
  "{{.ID}} {{.Os}}",
  "{{.Id}}",
  "{{.Config.Volumes}}|{{.Config.OnBuild}}|{{.Config.Healthcheck}}|{{.Config.Entrypoint}}",
  "{{.Config}}",
  "{{.Config.Env}}",
  "{{json .Config.Env}}",
  "{{.Config.Labels}}",
  '{{index .Config.Labels "x"}}|{{index .Config.Labels "nope"}}',
  "{{.Config.Labels.x}} {{.Config.Labels.nope}}",
  "{{.Metadata}} {{.Metadata.LastTagTime}} {{json .Metadata}}",
  "{{.GraphDriver}}",
  "{{.RootFS}}",
  "{{json .RootFS}}",
  "{{json .}}",
  "{{.Size}} {{json .Size}}",
  "{{range .RootFS.Layers}}{{.}} {{end}}",
  "{{range $i, $l := .RootFS.Layers}}{{$i}}={{$l}} {{end}}",
  "{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}",
  "{{range .Config.OnBuild}}a{{else}}b{{end}}",
  '{{range .Config.Env}}{{if eq . "PATH=/bin"}}{{continue}}{{end}}{{.}}{{end}}',
  "{{range .Config.Env}}{{.}}{{break}}{{end}}",
  "{{len .RootFS.Layers}} {{len .Os}} {{.Config.Labels | len}} {{len .Config.Volumes}}",
  "{{json .Config.Volumes}}",
  "{{if .Config.Volumes}}y{{else}}n{{end}}",
  '{{if eq .Os "linux" "x"}}L{{else if .Id}}M{{end}}',
  '{{if eq .Os "x"}}L{{else if .ID}}M{{else}}N{{end}}',
  '{{printf "%s %q" .Os .ID}}',
  '{{join .Config.Env ","}}|{{join .Config.OnBuild ","}}',
  '{{split .Os "n"}} {{index (split .Os "n") 1}}',
  '{{title .Os}} {{title "a b-c d_e 1f"}} {{upper .Os}} {{lower "ABC"}}',
  "{{truncate .ID 10}}|{{truncate .Os 99}}|{{pad .Os 2 3}}|",
  "{{println .Os}}|",
  "{{index .RootFS.Layers 0}}",
  "{{index .RootFS.Layers 9}}",
  '{{index .RootFS.Layers "a"}}',
  '{{index .Config "Env"}}',
  "{{.Config.ExposedPorts}}",
  "{{with .Config.Labels}}{{.x}}{{end}}{{with .Author}}a{{else}}none{{end}}",
  "{{slice .ID 7 19}} {{slice .RootFS.Layers 1}}",
  '{{.Os | upper | printf "%s!"}}',
  "a {{/* c */}} b {{- /* c */ -}} d",
  "a  {{- .Os -}}  y",
  "a {{.Os -}}\n  y {{- .Os}}",
  '{{html "<a href=\'x\'>&"}} {{urlquery "a b&c/~!"}} {{js "it\'s <\\"=&"}}',
  '{{and true .Os}} {{not .Os}} {{or "" .Os}} {{and .Author (index .Config.Env 9)}}',
  '{{eq .Os "linux"}} {{ne .Os "x"}} {{lt .Size 5}} {{le 5 5}} {{gt 6 5}} {{ge 4 5}} {{lt "a" "b"}}',
  "{{eq .Os 1}}",
  '{{$x := .Os}}{{$x}}{{if true}}{{$x = "b"}}{{end}}{{$x}}',
  "{{if true}}{{$x := 1}}{{end}}{{$x}}",
  '{{define "a"}}q{{.}}{{end}}{{template "a" .Os}}',
  '{{block "a" .Os}}[{{.}}]{{end}}',
  '{{template "nope"}}',
  '{{define "a"}}{{template "a"}}{{end}}x',
  "{{1.5}} {{true}} {{'a'}} {{`raw`}} {{\"a\\tb\\u00e9\\x41\"}} {{0x1F}} {{1e3}} {{-7}} {{1_000}} {{07}}",
  '{{print .Os 1 2 "a"}} {{print 1 true nil}} {{println 1 "b" 2}}',
  '{{printf "%5d|%-5s|%05d|%x|%X|%t|%c|%U|%e|%g|%.2f|%8.3f|%o|%b|%+d" 3 "a" 4 255 255 true 65 65 1.5 2.0 3.14159 2.5 8 5 7}}',
  '{{printf "%d" "x"}} {{printf "%s"}} {{printf "%s" 1 2}} {{printf "%"}} {{printf "%%"}} {{printf "%!"}}',
  '{{printf "%v %v" .Config.Cmd .Config.Labels}} {{printf "%q" .Config.Env}} {{printf "%.3s|%10.2s|" .Os .Os}} {{printf "%x" "hi"}} {{printf "%T" .Os}}',
  '{{printf "%*d|%-*d|" 5 1 4 2}}',
  '{{(index .Config.Env 0)}} {{(.Config).Cmd}} {{.Config.Cmd | printf "%s" | upper}}',
  '{{.RootFS.Type}}{{"\\n"}}{{.Os}}',
  "{{.Foo}}",
  "{{.Config.Foo}}",
  "{{.Os.foo}}",
  '{{join .Os ","}}',
  "{{truncate .Size 3}}",
  "{{range .Os}}x{{end}}",
  "{{len 3}}",
  "{{call .Os}}",
  "{{.Os .Os}}",
  "{{.Os | .Id}}",
  "{{nil}}",
  "{{nope .Os}}",
  "{{upper}}",
  "{{if .Os}}",
  "{{if .Os}}a{{else}}b{{else}}c{{end}}",
  "x{{end}}",
  "{{else}}",
  "{{.Os",
  "{{.Os}",
  "{{/* a",
  "{{}}",
  "{{(.Os}}",
  "{{.Os)}}",
  '{{"a}}',
  "{{'ab'}}",
  "{{$y}}",
  "{{break}}",
  "{{3 4}}",
  "{{.Os | 3}}",
  "{{@}}",
  "{{1a}}",
  '{{"\\q"}}',
  "{{range $i, := .Config.Env}}{{end}}",
  '{{"a".b}}',
  "{{if}}x{{end}}",
  '{{define "x"}}',
  "{{template}}",
];
