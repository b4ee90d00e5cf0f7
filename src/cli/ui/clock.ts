/**
 * Points in time as Docker's client prints them: in the local zone, with Go's layouts. `Date` knows the offset of the
 * zone but not its short name, which is read from the system's zone file.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Go's default layout, `2026-11-20 21:54:11 +0000 UTC`. @param seconds since 1970 */
export function goTime(seconds: number): string {
  const local = new Date(seconds * 1000);
  return `${date(local)} ${time(local)} ${offset(local, "")} ${zoneName(local)}`;
}

/** The same layout for an RFC 3339 text, in its own zone and with its fraction. */
export function goTimeNano(text: string): string {
  const [, day, clock, zone = "Z"] = /^(\S+)T([\d:.]+)(\S*)$/.exec(text) ?? [];
  if (day === undefined) return text;
  if (zone === "Z") return `${day} ${clock} +0000 UTC`;
  const local = new Date(text);
  const known = zone === offset(local, ":") ? zoneName(local) : zone.replace(":", "");
  return `${day} ${clock} ${zone.replace(":", "")} ${known}`;
}

/** RFC 3339 to the second, `2026-11-20T21:54:11Z`. @param seconds since 1970 */
export function rfc3339(seconds: number): string {
  const local = new Date(seconds * 1000);
  return `${date(local)}T${time(local)}${offsetOrZ(local)}`;
}

/** A file's time as `ls` shows it, `2026-11-20 21:54`. @param seconds since 1970 */
export function minuteTime(seconds: number): string {
  const local = new Date(seconds * 1000);
  return `${date(local)} ${time(local).slice(0, 5)}`;
}

/** RFC 3339 with all nine digits, as `docker events` prints. */
export function rfc3339Nano(nanoseconds: bigint): string {
  const seconds = Number(floorDivide(nanoseconds, 1_000_000_000n));
  const rest = nanoseconds - BigInt(seconds) * 1_000_000_000n;
  const local = new Date(seconds * 1000);
  return `${date(local)}T${time(local)}.${String(rest).padStart(9, "0")}${offsetOrZ(local)}`;
}

/** Whole seconds since 1970 of an RFC 3339 text with any number of digits, as Docker's API cuts `created`. */
export function unixSeconds(text: string): number {
  return Math.floor(Date.parse(text.replace(/\.\d+/, "")) / 1000);
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

function date(local: Date): string {
  return `${String(local.getFullYear()).padStart(4, "0")}-${two(local.getMonth() + 1)}-${two(local.getDate())}`;
}

function time(local: Date): string {
  return `${two(local.getHours())}:${two(local.getMinutes())}:${two(local.getSeconds())}`;
}

function offset(local: Date, separator: string): string {
  const minutes = -local.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}${separator}${two(Math.floor(size % 60))}`;
}

function offsetOrZ(local: Date): string {
  return local.getTimezoneOffset() === 0 ? "Z" : offset(local, ":");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The short name that was in use at that offset, `CET`; local mean time before zones; else the offset. */
function zoneName(local: Date): string {
  const seconds = -local.getTimezoneOffset() * 60;
  const unnamed = local.getFullYear() < 1900 ? "LMT" : offset(local, "");
  return namesOfZone(process.env.TZ ?? "").get(seconds) ?? (seconds === 0 ? "UTC" : unnamed);
}

const zones = new Map<string, ReadonlyMap<number, string>>();

function namesOfZone(zone: string): ReadonlyMap<number, string> {
  const names = zones.get(zone) ?? readZoneNames(zone);
  zones.set(zone, names);
  return names;
}

/** Reads the zone file; an offset gets the name that it had last. */
function readZoneNames(zone: string): ReadonlyMap<number, string> {
  const path = zone ? join("/usr/share/zoneinfo", join("/", zone.replace(/^:/, ""))) : "/etc/localtime";
  try {
    return parseZone(readFileSync(path));
  } catch {
    return new Map(); // no zone database: offsets stand in for names
  }
}

/** The second block of a TZif file (RFC 8536): times of change in 64 bits, the local time types, and their names. */
function parseZone(file: Buffer): ReadonlyMap<number, string> {
  const count = (header: number, field: number): number => file.readUInt32BE(header + 20 + field * 4);
  const first = 44 + count(0, 3) * 5 + count(0, 4) * 6 + count(0, 5) + count(0, 2) * 8 + count(0, 1) + count(0, 0);
  const [times, types, characters] = [count(first, 3), count(first, 4), count(first, 5)];
  const changes = first + 44 + times * 8;
  const text = file.toString("latin1", changes + times + types * 6, changes + times + types * 6 + characters);
  const order = [...Array(types).keys(), ...file.subarray(changes, changes + times)];
  const names = new Map<number, string>();
  for (const type of order) {
    const at = changes + times + type * 6;
    const start = file[at + 5]!;
    names.set(file.readInt32BE(at), text.slice(start, text.indexOf("\0", start)));
  }
  return names;
}
