import { invalid, quote } from "./dockerfile.ts";

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};
const MAX = 2n ** 63n - 1n;

/**
 * Go's durations: `1h30m`, `1.5s`, `-2ms`.
 *
 * @returns nanoseconds
 * @throws VarveError `invalid-argument` with Go's text
 */
export function parseDuration(text: string): bigint {
  const unsigned = text.replace(/^[-+]/, "");
  if (unsigned === "0") return 0n;
  if (unsigned === "") throw invalid(`time: invalid duration ${quote(text)}`);
  let total = 0n;
  for (let rest = unsigned; rest !== ""; ) {
    const [part, whole = "", fraction = "", unit = ""] = /^([0-9]*)(?:\.([0-9]*))?([^.0-9]*)/.exec(rest)!;
    if (whole === "" && fraction === "") throw invalid(`time: invalid duration ${quote(text)}`);
    if (unit === "") throw invalid(`time: missing unit in duration ${quote(text)}`);
    const scale = UNITS[unit];
    if (scale === undefined) throw invalid(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    const digits = fraction.slice(0, 18);
    total += BigInt(whole || "0") * scale + (BigInt(digits || "0") * scale) / 10n ** BigInt(digits.length);
    if (total > MAX) throw invalid(`time: invalid duration ${quote(text)}`);
    rest = rest.slice(part.length);
  }
  return text.startsWith("-") ? -total : total;
}
