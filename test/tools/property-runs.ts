import fc from "fast-check";

/** How many cases a property test tries, unless it says so itself: fewer in `npm run check`, which is for every save. */
fc.configureGlobal({ numRuns: Number(process.env.VARVE_PROPERTY_RUNS ?? 100) });
