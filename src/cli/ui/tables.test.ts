import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import * as asked from "../../../test/tools/client-goldens.ts";
import { isVarveError } from "../../errors.ts";
import type { ImageID } from "../../image/image.ts";
import { historyColumns, historyFormat, historyRows } from "./history-table.ts";
import { IMAGE_COLUMNS, imageFormat, imageRows, shownDigests } from "./image-table.ts";
import { formatRows } from "./rows.ts";

/** A little after a full second, as when the goldens were made. */
const NOW = 1_795_212_000_300;
const goldens = asked.readGoldens();

beforeEach(() => void vi.stubEnv("TZ", "UTC"));
afterEach(() => void vi.unstubAllEnvs());

describe("images are printed as Docker's client prints them:", () => {
  for (const golden of goldens.images)
    test(`images ${golden.args.join(" ")} (${golden.zone})`, () => {
      const images = listed(golden).map(({ Id, RepoTags, RepoDigests, Size, ...time }) => ({
        id: Id as ImageID,
        parent: undefined,
        tags: RepoTags.filter((tag) => tag !== "<none>:<none>"),
        digests: RepoDigests.filter((digest) => digest !== "<none>@<none>"),
        created: createdText(time),
        size: Size,
        labels: undefined,
        containers: 0,
      }));
      const flags = {
        quiet: golden.args.includes("-q"),
        digests: golden.args.includes("--digests"),
        format: formatIn(golden),
        truncates: !golden.args.includes("--no-trunc"),
      };
      const print = () =>
        formatRows(
          imageFormat(flags),
          IMAGE_COLUMNS,
          imageRows(images, { ...flags, digests: shownDigests(flags), now: NOW }),
        );
      inZone(golden, print);
    });

  function listed(golden: asked.Golden): readonly asked.ListedImage[] {
    const at = goldens.images.indexOf(golden);
    const dated = asked.IMAGES_ARGS.length + asked.DATED_ARGS.length * 2;
    return at < asked.IMAGES_ARGS.length ? asked.LISTED_IMAGES : at < dated ? asked.DATED_IMAGES : asked.OLDEST_IMAGES;
  }
});

describe("a history is printed as Docker's client prints it:", () => {
  for (const golden of goldens.history)
    test(`history ${golden.args.join(" ")} (${golden.zone})`, () => {
      const entries = listed(golden).map(({ Id, CreatedBy, Comment, Size, ...time }) => ({
        id: Id === "<missing>" ? undefined : (Id as ImageID),
        created: createdText(time),
        createdBy: CreatedBy,
        comment: Comment,
        size: Size,
        tags: [],
      }));
      const flags = {
        quiet: golden.args.includes("-q"),
        human: !golden.args.includes("-H=false"),
        truncates: !golden.args.includes("--no-trunc"),
      };
      const print = () =>
        formatRows(
          historyFormat({ ...flags, format: formatIn(golden) }),
          historyColumns(flags.human),
          historyRows(entries, { ...flags, now: NOW }),
        );
      inZone(golden, print);
    });

  function listed(golden: asked.Golden): readonly asked.ListedStep[] {
    const at = goldens.history.indexOf(golden);
    if (at < asked.HISTORY_ARGS.length) return asked.HISTORY;
    return at < asked.HISTORY_ARGS.length + 2 ? asked.DATED_HISTORY.slice(-1) : asked.DATED_HISTORY;
  }
});

function createdText({ age, Created }: { readonly age?: number; readonly Created?: number }): string {
  return new Date((Created ?? Math.floor(NOW / 1000) - (age ?? 0)) * 1000).toISOString();
}

function formatIn({ args }: asked.Golden): string | undefined {
  return args.includes("--format") ? args[args.indexOf("--format") + 1] : undefined;
}

function inZone(golden: asked.Golden, print: () => string): void {
  vi.stubEnv("TZ", golden.zone);
  if (golden.error === "") {
    expect(print()).toBe(golden.output);
    return;
  }
  const dockers = golden.error.trim().replace(/ in type \*.*/, "");
  try {
    print();
  } catch (error) {
    expect(isVarveError(error, "invalid-argument")).toBe(true);
    expect((error as Error).message).toContain(dockers);
    return;
  }
  expect.unreachable("the format should have been refused");
}
