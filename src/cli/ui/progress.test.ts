import { describe, expect, test } from "vitest";
import { Progress, type ProgressOutput } from "./progress.ts";

const LAYER = "61a3badf4458";
const SECOND = "555555555555";

class Screen implements ProgressOutput {
  readonly isTerminal: boolean;
  readonly columns: number;
  text = "";

  constructor(isTerminal: boolean, columns = 120) {
    this.isTerminal = isTerminal;
    this.columns = columns;
  }

  write(text: string): void {
    this.text += text;
  }
}

describe("progress", () => {
  test("on a terminal draws over a layer's own line, with the control sequences of Docker's client", () => {
    const screen = new Screen(true);
    const progress = new Progress(screen);
    progress.step({ id: LAYER, action: "Loading layer", current: 33_450_000, total: 33_450_000 });
    expect(screen.text).toBe(
      "\n\x1b[1A\x1b[2K\r61a3badf4458: Loading layer [==================================================>]  33.45MB/33.45MB\r\x1b[1B",
    );
    screen.text = "";
    progress.step({ id: SECOND, action: "Loading layer", current: 1, total: 1 });
    progress.step({ id: LAYER, action: "Loading layer", current: 33_450_000, total: 33_450_000 });
    expect(screen.text).toMatch(/^\n\x1b\[1A.*\x1b\[1B\x1b\[2A\x1b\[2K\r61a3badf4458: .*\r\x1b\[2B$/s);
  });

  test("draws the last step of a layer whose size nobody knew", () => {
    const screen = new Screen(true);
    const progress = new Progress(screen);
    for (const current of [1, 2, 3, 4000]) progress.step({ id: LAYER, action: "Loading layer", current, total: 0 });
    progress.finish();
    expect(screen.text.match(/\r61a3/g)).toHaveLength(2);
    expect(screen.text).toMatch(/ {5}4kB\r\x1b\[1B$/);
  });

  test("elsewhere is one plain line a finished layer", () => {
    const screen = new Screen(false);
    const progress = new Progress(screen);
    for (const current of [10, 1000, 1_997_000])
      progress.step({ id: LAYER, action: "Loading layer", current, total: 1_997_000 });
    progress.step({ id: SECOND, action: "Loading layer", current: 5, total: 0 });
    progress.finish();
    expect(screen.text).toBe("61a3badf4458: Loading layer 1.997MB\n555555555555: Loading layer 5B\n");
  });

  test("of layers that come at the same time is still one line each", () => {
    const screen = new Screen(false);
    const progress = new Progress(screen);
    for (const current of [10, 1000, 2000])
      for (const id of [LAYER, SECOND]) progress.step({ id, action: "Loading layer", current, total: 2000 });
    progress.finish();
    expect(screen.text).toBe("61a3badf4458: Loading layer 2kB\n555555555555: Loading layer 2kB\n");
  });
});
