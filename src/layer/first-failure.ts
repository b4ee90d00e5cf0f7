import { setMaxListeners } from "node:events";

/**
 * Of several pieces of work at the same time, the first that fails stops the others, by a signal that also fires with the
 * caller's. What the others then say is only that they were stopped.
 */
export class FirstFailure implements Disposable {
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal | undefined;
  #first: { readonly error: unknown } | undefined;

  constructor(outer: AbortSignal | undefined) {
    setMaxListeners(0, this.signal);
    this.#outer = outer;
    if (outer?.aborted) this.#follow();
    outer?.addEventListener("abort", this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The same promise, whose failure may also be left to others. */
  watch<T>(work: Promise<T>): Promise<T> {
    work.catch((error) => {
      if (!this.signal.aborted) this.#first = { error };
      this.stop();
    });
    return work;
  }

  /** What failed first, or else this. */
  or(error: unknown): unknown {
    return this.#first === undefined ? error : this.#first.error;
  }

  stop(): void {
    this.#controller.abort();
  }

  [Symbol.dispose](): void {
    this.#outer?.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => this.#controller.abort(this.#outer?.reason);
}
