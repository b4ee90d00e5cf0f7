/**
 * Sizes as Docker prints them: decimal units and a fixed number of significant digits, `1.24MB` in tables (three) and
 * `1.243MB` in sums and progress (four).
 */
const UNITS = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/** @example humanSize(1996800) // "1.997MB" */
export function humanSize(bytes: number, digits = 4): string {
  return scaled(bytes, digits, 1000, UNITS);
}

/** In units of 1024, as memory is measured. @example binarySize(25276973056) // "23.54GiB" */
export function binarySize(bytes: number): string {
  return scaled(bytes, 4, 1024, BINARY_UNITS);
}

/** Reads a size as Docker's flags and options have it, in units of 1024: `64m`, `1.5 GiB`, `4096`. */
export function parseBinarySize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$/i.exec(text);
  if (match === null) return undefined;
  const power = " kmgtp".indexOf((match[2] ?? " ").toLowerCase());
  return Math.trunc(Number(match[1]) * 1024 ** power);
}

/** Docker's size column: three digits. */
export function shortSize(bytes: number): string {
  return humanSize(bytes, 3);
}

function scaled(bytes: number, digits: number, base: number, units: readonly string[]): string {
  let value = bytes;
  let unit = 0;
  while (value >= base && unit < units.length - 1) {
    value /= base;
    unit++;
  }
  return `${significant(value, digits)}${units[unit]}`;
}

/**
 * C's `%.<digits>g`: trailing zeros dropped, an exponent where the integer part has more digits than asked for, and
 * exact ties rounded to even, which `toPrecision` does not do.
 */
export function significant(value: number, digits: number): string {
  if (value === 0) return "0";
  const [mantissa, exponent] = roundDecimal(Math.abs(value), digits);
  const sign = value < 0 ? "-" : "";
  if (exponent < -4 || exponent >= digits) {
    const [head, tail] = [mantissa[0], mantissa.slice(1).replace(/0+$/, "")];
    const power = `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    return `${sign}${head}${tail && `.${tail}`}e${power}`;
  }
  const padded = exponent < 0 ? "0".repeat(-exponent) + mantissa : mantissa;
  const point = exponent < 0 ? 1 : exponent + 1;
  const fraction = padded.slice(point).replace(/0+$/, "");
  return `${sign}${padded.slice(0, point)}${fraction && `.${fraction}`}`;
}

/** The first `digits` digits of a positive number, correctly rounded, and the power of ten of the first of them. */
function roundDecimal(value: number, digits: number): [string, number] {
  const rounded = value.toExponential(digits - 1);
  const power = Number(rounded.slice(rounded.indexOf("e") + 1));
  const mantissa = rounded.slice(0, rounded.indexOf("e")).replace(".", "");
  return isTie(value, digits) && Number(mantissa.at(-1)) % 2 === 1 ? [previous(mantissa), power] : [mantissa, power];
}

/** Whether exactly half a last digit is cut off: one five, then only zeros, in the number's exact decimal expansion. */
function isTie(value: number, digits: number): boolean {
  // A tie is a number of one digit more, a five. Few numbers are, and writing one out in full takes long.
  if (digits < 100) {
    const longer = value.toExponential(digits);
    if (longer[longer.indexOf("e") - 1] !== "5" || Number(longer) !== value) return false;
  }
  const [exact = ""] = value.toExponential(100).split("e");
  return /^50*$/.test(exact.replace(".", "").slice(digits));
}

/** `toExponential` rounds ties up, so the even neighbour of an odd result is the one below. */
function previous(mantissa: string): string {
  return String(BigInt(mantissa) - 1n).padStart(mantissa.length, "0");
}
