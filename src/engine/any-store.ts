import type { Store } from "./store.ts";

/**
 * A store that somebody uses without asking where it is: in this process, as `openStore` gives it, or in a daemon, as
 * `connectStore` does. All promises of `Store` hold for either. What only the process that has opened the root can do is left out.
 */
export type AnyStore = { readonly [Name in Exclude<keyof Store, "claimForDaemon" | "openPath">]: Store[Name] };
