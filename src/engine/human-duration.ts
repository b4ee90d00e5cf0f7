/**
 * Spans of time as Docker words them: "3 weeks", "About a minute". The larger the span the coarser the unit; only hours
 * are rounded, everything else is cut.
 */
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24;

/** Go's `time.Duration` ends here, about 292 years, so no span is shown as longer. */
const LONGEST_SECONDS = 9_223_372_036;

/** @example humanDuration(90) // "About a minute" */
export function humanDuration(seconds: number): string {
  const span = Math.min(seconds, LONGEST_SECONDS);
  const whole = Math.trunc(span);
  if (whole < 1) return "Less than a second";
  if (whole === 1) return "1 second";
  if (whole < MINUTE) return `${whole} seconds`;
  const minutes = Math.trunc(span / MINUTE);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.trunc(span / HOUR + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 2 * DAY) return `${hours} hours`;
  if (hours < 14 * DAY) return `${Math.trunc(hours / DAY)} days`;
  if (hours < 60 * DAY) return `${Math.trunc(hours / DAY / 7)} weeks`;
  if (hours < 730 * DAY) return `${Math.trunc(hours / DAY / 30)} months`;
  return `${Math.trunc(Math.trunc(span / HOUR) / DAY / 365)} years`;
}

/**
 * How long ago a moment was, in whole seconds as Docker's tables count.
 *
 * @param created seconds since 1970
 * @param now milliseconds since 1970
 */
export function timeAgo(created: number, now: number): string {
  return `${humanDuration(now / 1000 - created)} ago`;
}
