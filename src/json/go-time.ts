import { VarveError } from "../errors.ts";
import type { Time } from "../sys/time.ts";

/** A moment with the zone in which it was written. Two are the same moment when `compareTimes` gives 0. */
export interface GoTime extends Time {
  /** Seconds east of UTC. */
  readonly offset: number;
}

/** What Go has where no time was set, `0001-01-01T00:00:00Z`. */
export const ZERO_TIME: GoTime = { seconds: -62_135_596_800, nanoseconds: 0, offset: 0 };

/** The text between the quotes of a time in JSON, as far as Go 1.19 goes: one-digit hours and a decimal comma too. */
const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

/**
 * Reads RFC 3339 with any number of fractional digits, of which nine count.
 *
 * @throws VarveError `invalid-archive`
 */
export function parseTime(text: string): GoTime {
  const match = RFC3339.exec(text);
  if (match === null) throw noTime(text);
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || hour > 23 || minute > 59 || second > 59)
    throw noTime(text);
  const distance = (Number(match[9] ?? 0) * 60 + Number(match[10] ?? 0)) * 60;
  const offset = match[8] === "-" && distance !== 0 ? -distance : distance;
  return {
    seconds: date.getTime() / 1000 + hour * 3600 + minute * 60 + second - offset,
    nanoseconds: Number((match[7] ?? "").slice(0, 9).padEnd(9, "0")),
    offset,
  };
}

/**
 * RFC 3339 with as many fractional digits as needed, in the time's own zone.
 *
 * @example formatTime({ seconds: 1, nanoseconds: 500_000_000, offset: 3600 }) // 1970-01-01T01:00:01.5+01:00
 */
export function formatTime(time: Time & Partial<GoTime>): string {
  const offset = time.offset ?? 0;
  const date = new Date((time.seconds + offset) * 1000);
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999))
    throw new VarveError("invalid-argument", "Time.MarshalJSON: year outside of range [0,9999]", { ...time });
  const fraction = time.nanoseconds === 0 ? "" : `.${String(time.nanoseconds).padStart(9, "0").replace(/0+$/, "")}`;
  return date.toISOString().slice(0, 19) + fraction + formatOffset(offset);
}

/** Orders moments, whatever their zones. */
export function compareTimes(a: Time, b: Time): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}

/** A date in UTC, or in the zone of this process. */
export function timeOf(date: Date, zone: "utc" | "local" = "utc"): GoTime {
  const seconds = Math.floor(date.getTime() / 1000);
  return {
    seconds,
    nanoseconds: (date.getTime() - seconds * 1000) * 1_000_000,
    offset: zone === "utc" ? 0 : 0 - date.getTimezoneOffset() * 60,
  };
}

/** As far as a date can tell it: milliseconds, rounded down. */
export function toDate(time: Time): Date {
  return new Date(time.seconds * 1000 + Math.floor(time.nanoseconds / 1_000_000));
}

function formatOffset(offset: number): string {
  if (offset === 0) return "Z";
  const minutes = Math.floor(Math.abs(offset) / 60);
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

function noTime(text: string): VarveError {
  const shown = text.length > 64 ? `${text.slice(0, 64)}…` : text;
  return new VarveError("invalid-archive", `parsing time ${JSON.stringify(shown)}: not in RFC 3339`, { text: shown });
}
