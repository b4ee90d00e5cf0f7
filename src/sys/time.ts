/**
 * A moment as the kernel and tar count it: since 1970 in UTC, to the nanosecond, which neither a `Date` nor a double
 * can hold. `seconds` may be negative; `nanoseconds` counts forward from it, 0 to 999 999 999, so that half a second
 * before 1970 is `{ seconds: -1, nanoseconds: 500_000_000 }`.
 */
export interface Time {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** Below zero when `a` is earlier than `b`, above when it is later. */
export function compareTimes(a: Time, b: Time): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}
