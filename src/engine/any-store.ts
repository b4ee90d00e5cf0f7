import type { Store } from "./store.ts";

/**
 * A store that somebody uses without asking where it is: in this process, as `openStore` gives it, or in a daemon, as
 * `connectStore` does. All promises of `Store` hold for either, but for the claim on the root, which only a process that
 * has opened it can make.
 */
export type AnyStore = { readonly [Name in Exclude<keyof Store, "claimForDaemon">]: Store[Name] };
