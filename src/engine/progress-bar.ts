import { humanSize } from "./human-size.ts";

/** How far something has come. */
export interface Progressed {
  /** So far. */
  readonly current: number;
  readonly total: number;
  /** What is counted; bytes unless told. */
  readonly unit?: "bytes" | "things" | undefined;
}

const BAR_WIDTH = 50;
/** Narrower terminals get the numbers without the bar. */
const BAR_NEEDS_COLUMNS = 110;
const WIDE = BAR_NEEDS_COLUMNS + 1;

/** Docker's bar and numbers (FORMATS 13.1): `[====>     ]  32.77kB/1.997MB`, with fifty columns inside the bar. */
export function progressBar(progressed: Progressed, columns: number = WIDE): string {
  const { current, total, unit } = progressed;
  if (current <= 0 && total <= 0) return "";
  const done = amount(current, unit).padStart(8);
  if (total <= 0) return done;
  const filled = Math.min(BAR_WIDTH, Math.trunc(Math.trunc((current / total) * 100) / 2));
  const bar = `[${"=".repeat(filled)}>${" ".repeat(BAR_WIDTH - filled)}] `;
  return (columns > BAR_NEEDS_COLUMNS ? bar : "") + (current > total ? done : `${done}/${amount(total, unit)}`);
}

/** A number of what is counted. */
export function amount(many: number, unit: Progressed["unit"] = "bytes"): string {
  return unit === "bytes" ? humanSize(many) : String(many);
}
