// Goals: a sentence, and how a table shows whether it is met.
import { digits } from "./table.mjs";

/**
 * @typedef {import("./table.mjs").Table} Table
 * @typedef {{ text: string, judge: (table: Table, earlier: ReadonlyMap<string, Table>) => { met: boolean, found: string } | undefined }} Goal
 */

const MB = 1e6;

/** @param {string} key @param {number} times @param {string} [base] @returns {Goal} */
export function faster(key, times, base = "dockerd") {
  return {
    text: times === 1 ? `${key} not slower than ${base}` : `${key} at least ${times} times as fast as ${base}`,
    judge: (table) =>
      judged(
        table.ratio(key, base),
        (ratio) => ratio >= times,
        (ratio) => `${ratio.toFixed(2)} times`,
      ),
  };
}

/** @param {string} key @param {number} times @param {string} base @returns {Goal} */
export function atMost(key, times, base) {
  return {
    text: `${key} at most ${times} times the ${base}`,
    judge: (table) =>
      judged(
        table.ratio(base, key),
        (ratio) => ratio <= times,
        (ratio) => `${ratio.toFixed(2)} times`,
      ),
  };
}

/** @param {string} key @param {number} limit @returns {Goal} */
export function withinSeconds(key, limit) {
  return {
    text: `${key} within ${limit} s`,
    judge: (table) =>
      judged(
        table.seconds(key),
        (seconds) => seconds <= limit,
        (seconds) => `${digits(seconds)} s`,
      ),
  };
}

/** How many cores have work to do, on average. @param {string} key @param {number} limit @returns {Goal} */
export function keepsBusy(key, limit) {
  return {
    text: `${key} uses at least ${limit} cores`,
    judge: (table) =>
      judged(
        table.cores(key),
        (cores) => cores >= limit,
        (cores) => `${cores.toFixed(2)} cores`,
      ),
  };
}

/** @param {string} key @param {number} limit in MB @returns {Goal} */
export function underMemory(key, limit) {
  return {
    text: `${key} under ${limit} MB`,
    judge: (table) =>
      judged(
        table.peak(key),
        (peak) => peak < limit * MB,
        (peak) => `${(peak / MB).toFixed(0)} MB`,
      ),
  };
}

/** What a unit more costs, between an earlier case and this one, against the price on the way there. */
export function linear(
  /** @type {string} */ key,
  /** @type {{ from: string, units: [number, number], limit: number }} */ { from, units: [few, many], limit },
) {
  return /** @type {Goal} */ ({
    text: `${key} costs at most ${limit} times as much a byte as in ${from}`,
    judge: (table, earlier) => {
      const [less, more] = [earlier.get(from)?.seconds(key), table.seconds(key)];
      const growth = less === undefined || more === undefined ? undefined : more / many / (less / few);
      return judged(
        growth,
        (value) => value <= limit,
        (value) => `${value.toFixed(2)} times`,
      );
    },
  });
}

/** @param {string} key @param {{ from: string, more: number, limit: number }} options microseconds for each of `more` images */
export function slope(key, { from, more, limit }) {
  return /** @type {Goal} */ ({
    text: `${key} under ${limit} µs an image more than in ${from}`,
    judge: (table, earlier) => {
      const [less, all] = [earlier.get(from)?.seconds(key), table.seconds(key)];
      const each = less === undefined || all === undefined ? undefined : ((all - less) / more) * 1e6;
      return judged(
        each,
        (value) => value < limit,
        (value) => `${value.toFixed(0)} µs`,
      );
    },
  });
}

/**
 * @param {number | undefined} value
 * @param {(value: number) => boolean} met
 * @param {(value: number) => string} found
 */
function judged(value, met, found) {
  return value === undefined ? undefined : { met: met(value), found: found(value) };
}
