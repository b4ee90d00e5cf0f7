import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { gunzipSync, inflateRawSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { lacking } from "../tools/dockerd.ts";
import { type ApiAnswer, ask, documentsOf } from "../tools/engine-api.ts";
import { type ApiCall, REASONS } from "./api-calls.ts";
import { callsOf } from "./calls.ts";
import { makePair, type Pair } from "./fixture.ts";

const lack = lacking("root", "dockerd", "docker");

interface Message {
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Seconds since 1970, when the fixture was there. */
let began: number;

describe.skipIf(lack)(`what the daemon answers${lack ?? ""}`, () => {
  let pair: Pair;
  beforeAll(async () => {
    pair = await makePair();
    began = Math.ceil(Date.now() / 1000);
    await sleep(1000);
  });
  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  test("is what dockerd answers, or the documentation says why not", async () => {
    const calls = callsOf(pair);
    const documented = readFileSync(new URL("../../docs/engine-api.md", import.meta.url), "utf8");
    const wrong: string[] = [];
    let agreed = 0;
    for (const call of calls) {
      const [theirs, ours] = await answersTo(pair, call);
      if (theirs === ours) agreed++;
      if ((theirs === ours) !== (call.differs === undefined)) wrong.push(...difference(call, theirs, ours));
    }
    console.log(`${agreed} of ${calls.length} answers agree`);
    expect(wrong).toEqual([]);
    for (const reason of Object.values(REASONS)) expect(documented).toContain(reason);
  });

  test("while it loads is what dockerd tells, but for how often", async () => {
    const call: ApiCall = { method: "POST", path: "/images/load?quiet=0", body: pair.fresh };
    const messages = async (who: "dockerd" | "varve"): Promise<unknown[]> => {
      const told = documentsOf(await ask(pair[who].socket, call)) as Message[];
      const [first] = told;
      const kept = told.filter(({ progressDetail }) => progressDetail?.current === progressDetail?.total);
      const distinct = new Set(kept.map((message) => JSON.stringify(message)));
      return [Object.keys(first ?? {}), Object.keys(first?.progressDetail ?? {}), ...distinct];
    };
    const theirs = await messages("dockerd");
    expect(theirs).toHaveLength(4);
    expect(await messages("varve")).toEqual(theirs);
  });

  test("about what happened is what dockerd says happened", async () => {
    const names = ["load", "import", "tag", "untag", "delete", "prune"];
    const filters = encodeURIComponent(JSON.stringify({ event: names, type: ["image"] }));
    const path = `/events?since=${began}&until=${Math.ceil(Date.now() / 1000)}&filters=${filters}`;
    const [theirs, ours] = await answersTo(pair, { method: "GET", path, unordered: true });
    expect(ours.split("\n")).toEqual(theirs.split("\n"));
  });
});

async function answersTo(pair: Pair, call: ApiCall): Promise<[string, string]> {
  const answers = sameNewIDs(await answerOf(pair, "dockerd", call), await answerOf(pair, "varve", call));
  if (!call.unordered) return answers;
  const sorted = (text: string): string => text.split(/[{}]/).sort().join("\n");
  return [sorted(answers[0]), sorted(answers[1])];
}

/** What is to be the same. */
async function answerOf({ dockerd, varve, roots }: Pair, who: "dockerd" | "varve", call: ApiCall): Promise<string> {
  const answer = await ask({ dockerd, varve }[who].socket, call);
  const { headers } = answer;
  const type = headers["content-type"];
  const isTar = type === "application/x-tar" || type === "application/octet-stream";
  const text = JSON.stringify(isTar ? decoded(answer).toString("base64") : contentOf(answer, call));
  // Varve's root is a copy, and what was written into it at dockerd's place stays as it was.
  const placeless = text.replaceAll(roots.varve, "<root>").replaceAll(roots.dockerd, "<root>");
  const body: unknown = JSON.parse(placeless.replaceAll("20.10.24+dfsg1", "20.10.24"), timeless);
  const stat = pathStatOf(answer);
  return JSON.stringify({ status: answer.status, type, encoding: headers["content-encoding"], stat, body });
}

/** Not every gzip makes the same of it. */
function decoded({ headers, body }: ApiAnswer): Buffer {
  if (headers["content-encoding"] === "gzip") return gunzipSync(body);
  return headers["content-encoding"] === "deflate" ? inflateRawSync(body) : body;
}

/** What is known of a path before its tar comes. */
function pathStatOf({ headers }: ApiAnswer): unknown {
  const header = headers["x-docker-container-path-stat"] as string | undefined;
  if (header === undefined) return undefined;
  return JSON.parse(Buffer.from(header, "base64").toString(), timeless);
}

function contentOf(answer: ApiAnswer, { only }: ApiCall): unknown {
  if (answer.headers["content-type"] !== "application/json") return answer.body.toString();
  const documents = documentsOf(answer);
  if (only === undefined) return documents;
  const [document] = documents as Record<string, unknown>[];
  return only.map((name) => [name, document![name]]);
}

/** Times since the test began are of no account, nor is the order of what Docker keeps in no certain one. */
function timeless(key: string, value: unknown): unknown {
  const isTime = ["Created", "LastTagTime", "time", "timeNano", "mtime"].includes(key);
  if (isTime && typeof value === "number" && value >= began) return "<now>";
  if (isTime && typeof value === "string" && Date.parse(value) >= began * 1000) return "<now>";
  // A copy of a volume is younger.
  if (key === "CreatedAt") return Date.parse(`${value}`) >= began * 1000 ? "<now>" : "<before>";
  if (key === "Status" && typeof value === "string") return value.replace(/(Exited \(\d+\)) .* ago/, "$1 <ago>");
  if (key === "Volumes" && Array.isArray(value)) return sortedBy(value, volumeKey);
  if (key === "Mounts" && Array.isArray(value)) return sortedBy(value, ({ Destination }) => Destination);
  if (!Array.isArray(value) || !value.every((item) => item?.Id !== undefined && item.CreatedBy === undefined))
    return value;
  return sortedBy(value, (item) => JSON.stringify({ ...item, Id: "" }));
}

function sortedBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Item[] {
  return [...items].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

/** A new anonymous one has another name at either daemon. */
function volumeKey({ Name, CreatedAt, UsageData }: Record<string, unknown>): string {
  return JSON.stringify([CreatedAt === "<now>" && /^[0-9a-f]{64}$/.test(`${Name}`) ? "" : Name, UsageData]);
}

/** Ids that only one of them has are of what it made just now, and carry its time. */
function sameNewIDs(...texts: [string, string]): [string, string] {
  const replace = (text: string, other: string): string =>
    text.replace(/\b(sha256:)?[0-9a-f]{12,64}\b/g, (id) => (other.includes(id) ? id : "<new>"));
  return [replace(texts[0], texts[1]), replace(texts[1], texts[0])];
}

/** From shortly before the place where they part. */
function difference({ method, path }: ApiCall, theirs: string, ours: string): string[] {
  const at = Math.max(0, [...theirs].findIndex((character, i) => character !== ours[i]) - 60);
  return [`${method} ${path}`, theirs.slice(at, at + 400), ours.slice(at, at + 400)];
}
