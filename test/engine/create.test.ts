import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore, type Store } from "../../src/engine/store.ts";
import { VarveError } from "../../src/errors.ts";
import { tarOf } from "../../src/testing/tar-entries.ts";
import { type Dockerd, lacking, start } from "../tools/dockerd.ts";
import { ask } from "../tools/engine-api.ts";
import { BAD, type CreateBody, GOOD, IMAGE, PLAIN, RICH_CHANGES } from "./create-bodies.ts";

const lack = lacking("root", "dockerd", "docker");

const FILES = tarOf([
  { name: "etc/", mode: 0o711 },
  { name: "etc/motd", content: "hello\n", mode: 0o640, uid: 5, gid: 6 },
  { name: "etc/link", type: "2", linkname: "motd" },
  { name: "data/", mode: 0o1770, uid: 7, gid: 8 },
  { name: "data/file", content: "data\n", uid: 9 },
]);

describe.skipIf(lack)(`a container is recorded as dockerd records it${lack ?? ""}`, () => {
  let scratch = "";
  let daemon: Dockerd;
  let store: Store;
  let ours = "";
  let theirs = "";

  beforeAll(async () => {
    scratch = mkdtempSync(join(tmpdir(), "varve-create-"));
    [ours, theirs] = [join(scratch, "ours"), join(scratch, "docker")];
    mkdirSync(theirs);
    {
      await using first = await start({ root: theirs });
      const changes = RICH_CHANGES.flatMap((change) => ["-c", change]);
      await first.docker(["import", ...changes, "-", IMAGE], { input: FILES });
      await first.docker(["import", "-", PLAIN], { input: FILES });
      await first.docker(["create", "--name", "base", PLAIN, "x"]);
      await first.docker(["create", "--name", "withvolumes", "-v", "shared:/shared", "-v", "/etc:/e:ro", IMAGE]);
    }
    execFileSync("cp", ["-a", theirs, ours]);
    daemon = await start({ root: theirs });
    store = await openStore({ root: ours });
  });
  afterAll(async () => {
    await daemon?.stop();
    rmSync(scratch, { recursive: true, force: true });
  });

  interface Outcome {
    readonly status: number;
    readonly message?: string;
    readonly id?: string;
    readonly warnings?: readonly string[];
  }

  async function byDocker({ name, body }: CreateBody): Promise<Outcome> {
    const { status, body: answer } = await ask(daemon.socket, {
      method: "POST",
      path: `/v1.41/containers/create${name === undefined ? "" : `?name=${encodeURIComponent(name)}`}`,
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });
    const { Id: id, message, Warnings: warnings } = JSON.parse(answer.toString());
    return { status, ...(message === undefined ? { id, warnings } : { message }) };
  }

  async function byVarve({ name, body }: CreateBody): Promise<Outcome> {
    const { HostConfig: hostConfig, NetworkingConfig: networkingConfig, ...config } = body as Record<string, object>;
    const warnings: string[] = [];
    const onWarning = (message: string): void => void warnings.push(message);
    try {
      const options = { name, config, hostConfig, networkingConfig, onWarning };
      return { status: 201, id: await store.create(String(config.Image ?? ""), options), warnings };
    } catch (error) {
      if (!(error instanceof VarveError)) throw error;
      return { status: error.httpStatus, message: error.message };
    }
  }

  /** Both files, with what is by nature different made equal. */
  function recordsOf(root: string, id: string): { record: unknown; host: unknown; text: string } {
    const read = (file: string): string => readFileSync(join(root, "containers", id, file), "utf8");
    const record = JSON.parse(read("config.v2.json"));
    const plain = (text: string): string =>
      text
        .replaceAll(root, "ROOT")
        .replaceAll(theirs, "ROOT") // what ours has from before
        .replaceAll(id, "ID")
        .replaceAll(id.slice(0, 12), "ID")
        .replace(/(?<!sha256:)[0-9a-f]{64}/g, "RANDOM")
        .replaceAll(record.Created, "NOW");
    const text = plain(read("config.v2.json"));
    const name = /"Name":"\/[a-z]+_[a-z]+\d?"/;
    return {
      record: JSON.parse(text.replace(name, '"Name":"/generated"')),
      host: JSON.parse(read("hostconfig.json").replaceAll(root, "ROOT")),
      text: text.replace(name, '"Name":"/generated"'),
    };
  }

  function plainMessage(message = ""): string {
    return message.replace(/\/\S+\/overlay2\/[0-9a-f]{64}\/merged/, "").replaceAll(theirs, ours);
  }

  test.each(Object.entries(GOOD))("with %s", async (_, body) => {
    const [docker, varve] = [await byDocker(body), await byVarve(body)];
    expect(docker.message).toBeUndefined();
    expect(varve).toEqual({ ...docker, id: varve.id });
    const [wanted, made] = [recordsOf(theirs, docker.id!), recordsOf(ours, varve.id!)];
    expect(made.record).toEqual(wanted.record);
    expect(made.host).toEqual(wanted.host);
  });

  test.each(Object.entries(BAD))("or refused with %s", async (_, body) => {
    const [docker, varve] = [await byDocker(body), await byVarve(body)];
    expect(varve.message ?? "").toBe(plainMessage(docker.message));
    // What a client did wrong is its mistake, also where dockerd takes it for its own.
    expect(varve.status).toBe(docker.status === 500 ? 400 : docker.status);
  });

  test("and its volumes have what they have with dockerd", () => {
    const listing = (root: string): string[] =>
      execFileSync("find", [join(root, "volumes"), "-printf", "%P %y %m %U:%G %l\n"], { encoding: "utf8" })
        .split("\n")
        .filter((line) => !line.startsWith("metadata.db") && !line.startsWith("backingFsBlockDev"))
        .map((line) => line.replace(/[0-9a-f]{64}/, "ANON"))
        .sort();
    // dockerd leaves a volume of a container that it refused.
    expect(listing(ours)).toEqual(listing(theirs).filter((line) => !line.startsWith("overfile")));
    expect(listing(ours).join("\n")).toContain("filled/_data/motd f 640 5:6 \n");
  });
});
