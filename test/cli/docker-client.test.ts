import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import * as ask from "../tools/client-goldens.ts";
import { rigClient } from "../tools/docker-client.ts";
import { lacking } from "../tools/dockerd.ts";

const lack = lacking("docker");

describe.skipIf(lack)(`what docker's client prints${lack ?? ""}`, () => {
  test("is what the goldens say it prints", async () => {
    const goldens = await capture();
    if (process.env.VARVE_WRITE_GOLDENS) writeFileSync(ask.GOLDENS_PATH, `${JSON.stringify(goldens, null, 1)}\n`);
    expect(goldens).toEqual(JSON.parse(readFileSync(ask.GOLDENS_PATH, "utf8")));
  });
});

async function capture(): Promise<ask.Goldens> {
  return {
    client: await clientVersion(),
    images: [
      ...(await captureAll("/images/json", () => listed(ask.LISTED_IMAGES), "images", ask.IMAGES_ARGS, ["UTC"])),
      ...(await captureAll("/images/json", () => listed(ask.DATED_IMAGES), "images", ask.DATED_ARGS, [
        "UTC",
        "Europe/Berlin",
      ])),
      ...(await captureAll("/images/json", () => listed(ask.OLDEST_IMAGES), "images", ask.OLDEST_ARGS, ["UTC"])),
    ],
    history: [
      ...(await captureAll("/images/x/history", () => dated(ask.HISTORY), "history", ask.HISTORY_ARGS, ["UTC"])),
      ...(await captureAll(
        "/images/x/history",
        () => ask.DATED_HISTORY.slice(-1),
        "history",
        ask.OLDEST_ARGS.slice(0, 2),
        ["UTC"],
      )),
      ...(await captureAll("/images/x/history", () => ask.DATED_HISTORY, "history", ask.DATED_HISTORY_ARGS, [
        "UTC",
        "America/New_York",
      ])),
    ],
    inspect: await captureAll(
      "/images/x/json",
      () => ask.INSPECTED,
      "inspect",
      ask.INSPECT_FORMATS.map((format) => ["--type", "image", "-f", format]),
      ["UTC"],
    ),
  };
}

async function clientVersion(): Promise<string> {
  await using client = await rigClient({});
  return (await client.run(["version", "--format", "{{.Client.Version}}"])).output.trim();
}

async function captureAll(
  path: string,
  answer: () => unknown,
  command: string,
  list: readonly (readonly string[])[],
  zones: readonly string[],
): Promise<ask.Golden[]> {
  await using client = await rigClient({ [path]: answer });
  const goldens: ask.Golden[] = [];
  for (const zone of zones)
    for (const args of list) {
      const whole = [command, ...args, ...(command === "images" ? [] : ["x"])];
      const { output, error } = await withinOneSecond(() => client.run(whole, { TZ: zone }));
      goldens.push({ args, zone, output, error });
    }
  return goldens;
}

/** Runs until the clock's second is the same before and after, so that ages are what the list says. */
async function withinOneSecond<Result>(run: () => Promise<Result>): Promise<Result> {
  for (;;) {
    const second = Math.floor(Date.now() / 1000);
    const result = await run();
    if (Math.floor(Date.now() / 1000) === second) return result;
  }
}

/** An image list as dockerd fills it in. */
function listed(images: readonly ask.ListedImage[]): unknown[] {
  return dated(images.map((image) => ({ ...image, VirtualSize: image.Size, Containers: -1, SharedSize: -1 })));
}

/** Turns ages into creation times. */
function dated(items: readonly { readonly age?: number }[]): unknown[] {
  return items.map(({ age, ...item }) =>
    age === undefined ? item : { ...item, Created: Math.floor(Date.now() / 1000) - age },
  );
}
