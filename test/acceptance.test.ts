import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Dockerd, lacking, start } from "./tools/dockerd.ts";
import { varve as run, said as varve } from "./tools/varve.ts";

/**
 * One data-root, two owners: what dockerd 20.10 wrote, Varve reads and gives back as dockerd does, and the other way
 * round. Everything goes through the two commands, as a user would.
 */
const lack = lacking("root", "dockerd", "docker", "busybox", "setfattr");

const DOCKERFILE = `FROM base:1
LABEL a=b "odd label"="<&>"
RUN rm /data/gone && rm -r /opaque && mkdir /opaque && echo new > /opaque/new
RUN ln /data/kept /data/linked && chmod 4711 /data/setuid && mkfifo /data/pipe && ln -s /nowhere /data/dangling
ENV X="<y>"
CMD ["/bin/sh", "-c", "echo hi"]
`;

describe.skipIf(lack)(`a data-root of dockerd and Varve${lack ?? ""}`, () => {
  const scratch = mkdtempSync(join(tmpdir(), "varve-acceptance-"));
  const theirs = join(scratch, "theirs");
  const archives = join(scratch, "archives");
  const said: Record<string, string> = {};

  beforeAll(async () => {
    mkdirSync(archives);
    await using dockerd = await start({ root: theirs });
    await makeImages(dockerd, scratch);
    await hear(dockerd);
  });

  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** Keeps what the docker client printed, to be compared once the daemon is gone. */
  async function hear(dockerd: Dockerd): Promise<void> {
    for (const [name, args] of Object.entries(QUESTIONS)) said[name] = (await dockerd.docker(args)).toString();
    for (const [name, args] of Object.entries(SAVED))
      await dockerd.docker(["save", "-o", join(archives, name), ...args]);
  }

  test.each(Object.entries(QUESTIONS))("%s is answered as docker does", async (name, args) => {
    const ours = await varve(["--root", theirs, ...args]);
    // Docker leaves open the order of changes in one directory, and of images that were made in one second.
    if (name === "diff" || name.startsWith("images")) expect(lines(ours)).toEqual(lines(said[name]!));
    else if (args.includes("inspect")) expect(JSON.parse(ours)).toEqual(JSON.parse(said[name]!));
    else expect(ours).toBe(said[name]);
  });

  const saves = THREADS.flatMap((threads) =>
    Object.entries(SAVED).map(([name, args]) => [name, threads, args] as const),
  );
  test.each(saves)("save of %s with %s threads is the archive that docker saved", async (name, threads, args) => {
    const saved = join(scratch, `ours-${name}`);
    await varve(["--root", theirs, "save", "-o", saved, ...args], at(threads));
    expect(sameFile(saved, join(archives, name))).toBe(true);
    const { output } = await run(["--root", theirs, "save", ...args], at(threads));
    expect(output.equals(readFileSync(saved))).toBe(true);
  });

  const swap = "a root that Varve wrote with %s threads is dockerd's own: list, save, run, commit, and back to Varve";
  test.each(THREADS)(swap, async (threads) => {
    const root = join(scratch, `ours-${threads}`);
    const load = ["--root", root, "--driver", "overlay2", "load", "-i", join(archives, "two-tags.tar")];
    await varve(load, at(threads));
    const listed = await varve(["--root", root, "images", "--no-trunc", "--format", LISTING]);
    const committed = join(archives, "committed.tar");
    {
      await using dockerd = await start({ root });
      expect((await dockerd.docker(["images", "--no-trunc", "--format", LISTING])).toString()).toBe(listed);
      await dockerd.docker(["save", "-o", join(archives, "again.tar"), "top:1", "top:2"]);
      expect(sameFile(join(archives, "again.tar"), join(archives, "two-tags.tar"))).toBe(true);
      expect(sameFile(join(archives, "again.tar"), join(scratch, "ours-two-tags.tar"))).toBe(true);
      const ran = await dockerd.docker([
        ..."run --name cc --network none top:1 /bin/sh -c".split(" "),
        "cat /opaque/new; echo more > /data/more; rm /data/kept",
      ]);
      expect(ran.toString()).toBe("new\n");
      await dockerd.docker(["commit", "-m", "more", "cc", "committed:1"]);
      await dockerd.docker(["save", "-o", committed, "committed:1"]);
    }
    expect(lines(await varve(["--root", root, "diff", "cc"]))).toEqual(["A /data/more", "C /data", "D /data/kept"]);
    await varve(["--root", root, "save", "-o", join(scratch, "committed.tar"), "committed:1"], at(threads));
    expect(sameFile(join(scratch, "committed.tar"), committed)).toBe(true);
  });

  test("the record of a container is the one that docker create writes", async () => {
    const root = join(scratch, "records");
    await varve(["--root", root, "--driver", "overlay2", "load", "-i", join(archives, "two-tags.tar")]);
    const ours = (await varve(["--root", root, "create", "--name", "made", "top:1"])).trim();
    let docker: string;
    {
      await using dockerd = await start({ root });
      docker = (await dockerd.docker(["create", "--name", "made2", "top:1"])).toString().trim();
    }
    const read = (id: string, name: string): string => readFileSync(join(root, "containers", id, name), "utf8");
    expect(read(ours, "hostconfig.json").trim()).toBe(read(docker, "hostconfig.json").trim());
    const [mine, theirs] = [ours, docker].map((id) => JSON.parse(read(id, "config.v2.json")));
    expect(mine).toEqual({
      ...theirs,
      ID: ours,
      Name: "/made",
      Created: mine.Created,
      Config: { ...theirs.Config, Hostname: ours.slice(0, 12) },
    });
  });

  test("a container made by Varve is started by dockerd, and a commit of Varve's runs there", async () => {
    const root = join(scratch, "containers");
    await varve(["--root", root, "--driver", "overlay2", "load", "-i", join(archives, "two-tags.tar")]);
    await varve(["--root", root, "create", "--name", "made", "top:1"]);
    writeFileSync(join(scratch, "note"), "by varve\n");
    await varve(["--root", root, "cp", join(scratch, "note"), "made:/data/note"]);
    await varve(["--root", root, "commit", "-m", "noted", "made", "noted:1"]);
    await using dockerd = await start({ root });
    expect((await dockerd.docker(["start", "-a", "made"])).toString()).toBe("hi\n");
    const note = await dockerd.docker(["run", "--rm", "--network", "none", "noted:1", "cat", "/data/note"]);
    expect(note.toString()).toBe("by varve\n");
    expect((await dockerd.docker(["diff", "made"])).toString()).toContain("A /data/note\n");
  });

  test("while a dockerd lives on the root, Varve reads and refuses to write", async () => {
    await using _dockerd = await start({ root: theirs });
    expect(await varve(["--root", theirs, "images", "-q", "--no-trunc"])).toContain("sha256:");
    const refused = await run(["--root", theirs, "tag", "top:1", "other:1"]);
    expect(refused.status).toBe(1);
    expect(refused.error).toContain("a dockerd is running on");
  });
});

/** How many layers are at work at the same time. */
const THREADS = ["1", "2", "8"];
const at = (threads: string) => ({ environment: { VARVE_THREADS: threads } });

const LISTING = "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ID}} {{.CreatedAt}} {{.Size}}";
const STEPS = "{{.ID}} {{.CreatedAt}} {{.CreatedBy}} {{.Size}} {{.Comment}}";

const QUESTIONS: Readonly<Record<string, readonly string[]>> = {
  images: ["images", "--no-trunc", "--format", LISTING],
  "images -a": ["images", "-a", "--no-trunc", "--format", LISTING],
  "images --filter dangling": ["images", "-q", "--filter", "dangling=true"],
  "images --filter label": ["images", "-q", "--filter", "label=a=b"],
  "images --filter before": ["images", "-q", "--filter", "before=top:1"],
  "images --filter reference": ["images", "--format", LISTING, "--filter", "reference=t*:1"],
  "inspect base": ["inspect", "base:1"],
  "inspect middle": ["image", "inspect", "middle:1"],
  "inspect top": ["inspect", "top:1", "top:2"],
  "history base": ["history", "--no-trunc", "-H=false", "--format", STEPS, "base:1"],
  "history top": ["history", "--no-trunc", "--format", STEPS, "top:1"],
  diff: ["diff", "changed"],
};

const SAVED: Readonly<Record<string, readonly string[]>> = {
  "one.tar": ["base:1"],
  "two-tags.tar": ["top:1", "top:2"],
  "by-name.tar": ["top"],
};

/** Three images that share layers, with whiteouts, an opaque directory, hard links and xattrs; a changed container. */
async function makeImages(dockerd: Dockerd, scratch: string): Promise<void> {
  const tree = join(scratch, "tree");
  mkdirSync(join(tree, "bin"), { recursive: true });
  for (const name of ["data", "opaque", "etc", "proc", "sys", "dev", "tmp"]) mkdirSync(join(tree, name));
  cpSync("/bin/busybox", join(tree, "bin/busybox"));
  for (const name of ["sh", "cat", "echo", "rm", "mkdir", "ln", "chmod", "mkfifo", "mv"])
    execFileSync("ln", ["-s", "busybox", join(tree, "bin", name)]);
  for (const name of ["data/kept", "data/gone", "data/setuid", "opaque/old", "etc/passwd"])
    writeFileSync(join(tree, name), `${name}\n`);
  execFileSync("setfattr", ["-n", "user.origin", "-v", "base", join(tree, "data/kept")]);
  execFileSync("setfattr", ["-n", "security.capability", "-v", CAPABILITY, join(tree, "bin/busybox")]);
  const base = execFileSync(
    "tar",
    ["-C", tree, "--format=pax", "--xattrs", "--xattrs-include=*", "--sort=name", "-c", "."],
    { maxBuffer: 64 << 20 },
  );
  await dockerd.docker(["import", "-m", "a <base>", "-c", "ENV PATH=/bin", "-c", 'CMD ["/bin/sh"]', "-", "base:1"], {
    input: base,
  });
  const context = join(scratch, "context");
  mkdirSync(context);
  writeFileSync(join(context, "Dockerfile"), DOCKERFILE);
  await dockerd.docker(["build", "--network", "none", "-t", "top:1", context]);
  await dockerd.docker(["tag", "top:1", "top:2"]);
  writeFileSync(join(context, "Dockerfile"), `${DOCKERFILE.split("\n").slice(0, 3).join("\n")}\n`);
  await dockerd.docker(["build", "--network", "none", "-t", "middle:1", context]);
  await dockerd.docker([
    ..."run --name changed --network none top:1 /bin/sh -c".split(" "),
    "rm /data/kept; rm -r /opaque; mkdir /opaque; echo z > /opaque/z; ln /etc/passwd /etc/hl; chmod 700 /etc; mv /bin/cat /bin/cut",
  ]);
}

/** cap_net_raw+ep, revision 2. */
const CAPABILITY = "0x0100000200200000000000000000000000000000";

function lines(text: string): string[] {
  return text.trimEnd().split("\n").sort();
}

function sameFile(a: string, b: string): boolean {
  return readFileSync(a).equals(readFileSync(b));
}
