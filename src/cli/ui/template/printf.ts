/** Go's `fmt.Sprintf`, `Sprint` and `Sprintln` for the values of a template, with Go's marks for what does not fit. */
import { significant } from "../../../engine/human-size.ts";
import { isList, show, typeName, type Value } from "./value.ts";

/** @example printf("%-5s|%3d", ["a", 4]) // "a    |  4" */
export function printf(format: string, args: readonly Value[]): string {
  let next = 0;
  const text = format.replace(/%([-+# 0]*)(\*|\d+)?(?:\.(\*|\d*))?(.|$)/gsu, (_, flags, width, precision, verb) => {
    const number = (given: string | undefined): number | undefined =>
      given === "*" ? Number(args[next++]) : Number(given || 0);
    const spec: Spec = {
      flags,
      width: width === undefined ? 0 : Math.min(number(width)!, WIDTH_LIMIT),
      precision: precision === undefined ? undefined : Math.min(number(precision)!, PRECISION_LIMIT),
      verb,
    };
    if (verb === "%") return "%";
    if (verb === "") return "%!(NOVERB)";
    if (next >= args.length) return `%!${verb}(MISSING)`;
    return formatValue(spec, args[next++]);
  });
  const extra = args.slice(next).map((value) => `${typeName(value)}=${show(value)}`);
  return extra.length === 0 ? text : `${text}%!(EXTRA ${extra.join(", ")})`;
}

/** Operands joined, with a space between two that are not text. */
export function sprint(args: readonly Value[]): string {
  return args
    .map(
      (value, at) => (at > 0 && typeof value !== "string" && typeof args[at - 1] !== "string" ? " " : "") + show(value),
    )
    .join("");
}

export function sprintln(args: readonly Value[]): string {
  return `${args.map((value) => show(value)).join(" ")}\n`;
}

interface Spec {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly verb: string;
}

/** Go's own bound on what a format may ask for; `toFixed` takes a hundred digits. */
const WIDTH_LIMIT = 1e6;
const PRECISION_LIMIT = 100;

function formatValue(spec: Spec, value: Value): string {
  if (spec.verb === "T") return pad(spec, typeName(value));
  if (isList(value) && spec.verb !== "v") return `[${value.map((item) => formatValue(spec, item)).join(" ")}]`;
  const body = spec.verb === "v" ? quotedOrShown(spec, value) : formatScalar(spec, value);
  return body === undefined ? `%!${spec.verb}(${typeName(value)}=${show(value)})` : pad(spec, body);
}

function quotedOrShown({ flags }: Spec, value: Value): string {
  return flags.includes("#") && typeof value === "string" ? JSON.stringify(value) : show(value);
}

function formatScalar(spec: Spec, value: Value): string | undefined {
  if (typeof value === "string") return formatText(spec, value);
  if (typeof value === "number") return formatNumber(spec, value);
  if (typeof value === "boolean") return spec.verb === "t" ? String(value) : undefined;
  return spec.verb === "s" && value !== null && value !== undefined ? show(value) : undefined;
}

function formatText({ verb, precision }: Spec, text: string): string | undefined {
  const cut = precision === undefined ? text : [...text].slice(0, precision).join("");
  if (verb === "s") return cut;
  if (verb === "q") return JSON.stringify(cut);
  if (verb === "x") return Buffer.from(cut).toString("hex");
  return verb === "X" ? Buffer.from(cut).toString("hex").toUpperCase() : undefined;
}

function formatNumber({ verb, precision, flags }: Spec, value: number): string | undefined {
  const sign = value >= 0 && flags.includes("+") ? "+" : value >= 0 && flags.includes(" ") ? " " : "";
  const whole = Number.isInteger(value);
  switch (whole ? verb : `float ${verb}`) {
    case "d":
      return sign + value;
    case "b":
      return sign + value.toString(2);
    case "o":
      return sign + value.toString(8);
    case "x":
      return sign + (flags.includes("#") ? "0x" : "") + value.toString(16);
    case "X":
      return sign + (flags.includes("#") ? "0X" : "") + value.toString(16).toUpperCase();
    case "c":
      return character(value);
    case "q":
      return `'${character(value)}'`;
    case "U":
      return `U+${value.toString(16).toUpperCase().padStart(4, "0")}`;
  }
  if (verb === "f" || verb === "F") return sign + value.toFixed(precision ?? 6);
  if (verb === "e" || verb === "E") return sign + exponential(value, precision ?? 6, verb);
  if (verb === "g") return sign + (precision === undefined ? show(value) : significant(value, precision || 1));
  return undefined;
}

function character(code: number): string {
  return code >= 0 && code <= 0x10ffff ? String.fromCodePoint(code) : "\ufffd";
}

function exponential(value: number, digits: number, letter: string): string {
  return value
    .toExponential(digits)
    .replace(/e([+-])(\d)$/, "e$10$2")
    .replace("e", letter);
}

function pad({ width, flags }: Spec, body: string): string {
  const missing = width - [...body].length;
  if (missing <= 0) return body;
  if (flags.includes("-")) return body + " ".repeat(missing);
  if (flags.includes("0")) return body.replace(/^[+-]?/, (sign) => sign + "0".repeat(missing));
  return " ".repeat(missing) + body;
}
