// What a case gave: its rows, the ratios between them, and the report in Markdown.

/**
 * @typedef {import("./measure.mjs").Measurement} Measurement
 * @typedef {{ key: string, name: string, runs: Measurement[], failure?: string }} Row
 * @typedef {{ text: string, met: boolean | undefined, found: string }} Verdict undefined: not measured here
 */

export class Table {
  /** @param {string} name @param {string} title @param {Row[]} rows */
  constructor(name, title, rows) {
    this.name = name;
    this.title = title;
    this.rows = rows;
    this.verdicts = /** @type {Verdict[]} */ ([]);
  }

  /** The rounds of a row; undefined when it was not measured or failed. @param {string} key */
  runs(key) {
    const row = this.rows.find((candidate) => candidate.key === key);
    return row === undefined || row.failure !== undefined || row.runs.length === 0 ? undefined : row.runs;
  }

  /** The median of a row's wall time, in seconds. @param {string} key */
  seconds(key) {
    const runs = this.runs(key);
    return runs && median(runs.map(({ seconds }) => seconds));
  }

  /** The most that a row has held in any round, in bytes. @param {string} key */
  peak(key) {
    const runs = this.runs(key);
    return runs && Math.max(...runs.map(({ peak }) => peak));
  }

  /** CPU seconds for each second of wall time: the median over the rounds. @param {string} key */
  cores(key) {
    const runs = this.runs(key);
    return runs && median(runs.map(({ seconds, cpu }) => cpu / seconds));
  }

  /** How many times as fast as `base` a row is: the median over the rounds, pair by pair. @param {string} key */
  ratio(key, base = "dockerd") {
    const [runs, bases] = [this.runs(key), this.runs(base)];
    return runs && bases && median(runs.map(({ seconds }, round) => (bases[round]?.seconds ?? Number.NaN) / seconds));
  }

  toString() {
    const rows = this.rows.map((row) => {
      const runs = this.runs(row.key);
      if (runs === undefined) return [row.name, row.failure ?? "not measured", "", "", "", ""];
      const times = runs.map(({ seconds }) => seconds);
      const ratio = this.ratio(row.key);
      return [
        row.name,
        digits(median(times)),
        `${digits(Math.min(...times))} to ${digits(Math.max(...times))}`,
        digits(median(runs.map(({ cpu }) => cpu))),
        ((this.peak(row.key) ?? 0) / 1e6).toFixed(0),
        ratio === undefined ? "" : ratio.toFixed(2),
      ];
    });
    const lines = [["subject", "median s", "spread s", "CPU s", "peak MB", "ratio"], ...rows];
    const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
    const [head, ...body] = lines.map(
      (line) =>
        `| ${line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))).join(" | ")} |`,
    );
    const rule = `| ${widths.map((width, column) => (column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`)).join(" | ")} |`;
    const verdicts = this.verdicts.map(({ text, met, found }) => {
      return `- ${text}: ${met === undefined ? "not measured" : `${met ? "met" : "**not met**"}, ${found}`}`;
    });
    return [`### ${this.name}: ${this.title}`, "", head, rule, ...body, "", ...verdicts, ""].join("\n");
  }
}

/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Three digits that mean something. @param {number} seconds */
export function digits(seconds) {
  return seconds >= 10 ? seconds.toFixed(1) : seconds >= 1 ? seconds.toFixed(2) : seconds.toFixed(3);
}
