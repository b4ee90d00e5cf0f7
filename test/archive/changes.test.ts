// biome-ignore-all lint/suspicious/noTemplateCurlyInString: substitutions of a shell, not of templates
import { request } from "node:http";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { applyChanges } from "../../src/archive/changes.ts";
import { isVarveError } from "../../src/errors.ts";
import { containerConfigType, EMPTY_CONTAINER_CONFIG } from "../../src/image/container-config.ts";
import { formatGo } from "../../src/json/go-value.ts";
import { parseJson } from "../../src/json/json.ts";
import { toText } from "../../src/sys/byte-string.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";

const lack = lacking("root", "dockerd");
const RUNS = Number(process.env.VARVE_FUZZ_RUNS ?? 150);

/** What the builder's grammar has corners for. */
const CASES: readonly (readonly string[])[] = [
  ["RUN x"],
  ["Run x"],
  ["FOO x"],
  ["ENV A"],
  ["ENV A=b C=d"],
  ["ENV A b c  d"],
  ["ENV =b"],
  ["ENV A=b c"],
  ["LABEL x"],
  ['LABEL "a b"="c d" e=f\\ g'],
  ["EXPOSE 80 90/udp 1-3"],
  ["EXPOSE x"],
  ["EXPOSE"],
  ["ENV"],
  ["CMD"],
  ["CMD []"],
  ['CMD ["a",1]'],
  ["CMD ['a']"],
  ["ENTRYPOINT a b"],
  ["ENTRYPOINT"],
  ["ENTRYPOINT []"],
  ["CMD x", "ENTRYPOINT y"],
  ["CMD", "ENTRYPOINT y"],
  ["CMD []", "ENTRYPOINT y"],
  ["ENTRYPOINT y", "CMD x"],
  ["USER"],
  ["USER a b"],
  ["VOLUME"],
  ["VOLUME /a /b"],
  ['VOLUME ["/a b", "c"]'],
  ['VOLUME [""]'],
  ["WORKDIR"],
  ["WORKDIR a"],
  ["WORKDIR /a", "WORKDIR b/../c"],
  ["ONBUILD"],
  ["ONBUILD RUN x  y"],
  ["ONBUILD ONBUILD x"],
  ["ONBUILD FROM x"],
  ["onbuild copy a b"],
  ["ONBUILD maintainer x"],
  ['ONBUILD "FROM" x'],
  ["HEALTHCHECK NONE"],
  ["HEALTHCHECK CMD a b"],
  ['HEALTHCHECK --interval=5s --timeout=1m --start-period=1h --retries=3 CMD ["a"]'],
  ["HEALTHCHECK"],
  ["HEALTHCHECK X"],
  ["HEALTHCHECK --foo=1 CMD a"],
  ["HEALTHCHECK --retries=0 CMD a"],
  ["HEALTHCHECK --retries=x CMD a"],
  ["HEALTHCHECK --retries=99999999999 CMD a"],
  ["HEALTHCHECK --interval=1ns CMD a"],
  ["HEALTHCHECK --interval=x CMD a"],
  ["HEALTHCHECK --interval=1.5h.5m CMD a"],
  ["HEALTHCHECK --interval=9000000h CMD a"],
  ["HEALTHCHECK --interval=2000000h CMD a"],
  ["HEALTHCHECK NONE x"],
  ["HEALTHCHECK CMD"],
  ["HEALTHCHECK --interval CMD a"],
  ["HEALTHCHECK --interval=-5s CMD a"],
  ["HEALTHCHECK --retries=1 --retries=2 CMD x"],
  ["HEALTHCHECK --foo NONE"],
  ["HEALTHCHECK -- CMD x"],
  ['HEALTHCHECK --interval="5 s" CMD x'],
  ["HEALTHCHECK none"],
  ["HEALTHCHECK cmd x"],
  ['ENV A="b'],
  ["ENV A='b"],
  ["ENV A=${"],
  ["ENV A=${}"],
  ["ENV A=${x:-y}"],
  ["ENV A=${x:z}"],
  ["ENV A=${x-y}"],
  ["ENV A=${x?y}"],
  ["ENV A=${x?}"],
  ["ENV A=${x:?y}"],
  ["ENV A=${x:?}"],
  ["ENV x=", "ENV A=${x:?}"],
  ["ENV x=", "ENV A=${x?}"],
  ["ENV A=$1 B=$@ C=$*x D=$#y E=$!z F=$$a G=$- H=$0 I=$10"],
  ["ENV A=1", "ENV A=2 B=$A", "ENV C=$B$A"],
  ['ENV A=\\$x B=\\\\ C="\\a\\"\\$"'],
  ['ENV A a\\ b "c"'],
  ['ENV P="80 443"', 'EXPOSE $P "8 9"'],
  ['ENV P="80 443"', "EXPOSE $P 9"],
  ["EXPOSE 1.2.3.4:80:90"],
  ["EXPOSE :80"],
  ["EXPOSE 80/"],
  ["EXPOSE /tcp"],
  ["EXPOSE 80/TCP"],
  ["EXPOSE 80/foo"],
  ["EXPOSE 80/udp/x"],
  ["EXPOSE 65536"],
  ["EXPOSE 5-3"],
  ["EXPOSE 1-"],
  ["EXPOSE 80:90-91"],
  ["EXPOSE 80-81:90"],
  ["EXPOSE 80-81:90-91"],
  ["EXPOSE x:90"],
  ["EXPOSE 1.2.3:80:90"],
  ["EXPOSE [::1]:80:90"],
  ["EXPOSE ::1:80:90"],
  ["EXPOSE [x]:1:2"],
  ["EXPOSE []:1:2"],
  ["EXPOSE 080"],
  ["EXPOSE +80"],
  ["EXPOSE 0"],
  ["EXPOSE 1:"],
  ["EXPOSE 80-90-95"],
  ["CMD --x y"],
  ['CMD ["a"] foo'],
  ['CMD [ "a" , "b" ]'],
  ['CMD ["\\u00e9\\n<&>"]'],
  ["  cmd   a   b  "],
  ["CMD a \\\n  b\\\n# c\n\n d"],
  ["# comment", "USER x"],
  ["# comment"],
  [""],
  ["   "],
  ["USER $x"],
  ['USER "a b"'],
  ["WORKDIR /a/../b/"],
  ["WORKDIR $Z"],
  ["VOLUME $x"],
  ['VOLUME ["$x"]'],
  ["LABEL a=b a=c", "LABEL a=d"],
  ["LABEL é=ü"],
  ['LABEL a="x\\\ny"'],
  ["LABEL __proto__=x"],
  ['CMD "a'],
  ["# escape=`", "ENV A=`$x B=\\ "],
  ["# escape=x", "USER y"],
  ["# escape=`", "# escape=`", "USER y"],
  ["ENV a=b", "CMD $a", 'ENTRYPOINT ["$a"]'],
  ["USER a", "RUN b"],
  ["USER", "ENV A"],
  ["ENV A", "USER"],
];

describe.skipIf(lack)(`changes beside dockerd's${lack ?? ""}`, () => {
  let daemon: Dockerd;
  beforeAll(async () => {
    daemon = await start();
  });
  afterAll(async () => {
    await daemon?.stop();
  });

  test.each(CASES.map((changes) => [changes]))("%j", async (changes) => {
    expect(ours(changes)).toBe(await theirs(daemon.socket, changes));
  });

  test("instructions of random words", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(instruction, { minLength: 1, maxLength: 3 }), async (changes) => {
        expect(ours(changes)).toBe(await theirs(daemon.socket, changes));
      }),
      { numRuns: RUNS, seed: process.env.VARVE_FUZZ_RUNS === undefined ? 1 : Date.now() },
    );
  });
});

const name = fc.constantFrom(
  ...[
    "CMD",
    "ENTRYPOINT",
    "ENV",
    "env",
    "EXPOSE",
    "HEALTHCHECK",
    "LABEL",
    "ONBUILD",
    "USER",
    "VOLUME",
    "WORKDIR",
    "RUN",
  ],
);
const scrap = fc.constantFrom(
  ...["a", "B", "=", "a=b", "'", '"', "$", "${", "}", ":-", ":+", ":?", "?", "\\", " ", "  ", "\t", "\\\n", "\n#x\n"],
  ...[
    "80",
    "90/udp",
    "1-3",
    ":",
    "/",
    "..",
    "--",
    "--interval=1s",
    "--retries=2",
    "NONE",
    "CMD",
    "[",
    "]",
    '["x"]',
    ",",
  ],
  ...["$a", "${a}", "${a:-x y}", "FROM", "run", "1h", "~"],
);
const instruction = fc
  .tuple(name, fc.array(scrap, { maxLength: 7 }))
  .map(([word, scraps]) => `${word} ${scraps.join("")}`);

function ours(changes: readonly string[]): string {
  try {
    return formatGo(containerConfigType.write(applyChanges(EMPTY_CONTAINER_CONFIG, changes))).toString();
  } catch (error) {
    if (!isVarveError(error, "invalid-argument")) throw error;
    return `error: ${error.message}`;
  }
}

async function theirs(socket: string, changes: readonly string[]): Promise<string> {
  const query = changes.map((change) => `&changes=${encodeURIComponent(change)}`).join("");
  const answer = await call(socket, "POST", `/images/create?fromSrc=-${query}`, Buffer.alloc(1024));
  const text = answer.toString();
  const id = /"status":"(sha256:[0-9a-f]{64})"/.exec(text)?.[1];
  if (id === undefined) return `error: ${(JSON.parse(text) as { message: string }).message}`;
  const image = parseJson(await call(socket, "GET", `/images/${id}/json`));
  return toText(image.member("Config")!.compact());
}

function call(socketPath: string, method: string, path: string, body?: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method, path: `/v1.41${path}`, headers: { host: "docker" } }, (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => resolve(Buffer.concat(chunks)));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
