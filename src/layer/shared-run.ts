/**
 * Work that serves everybody who asked before it began, such as bringing a whole file system to the disk. While one run
 * is on, those who ask share the next one.
 */
export class SharedRun {
  readonly #work: () => Promise<void>;
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(work: () => Promise<void>) {
    this.#work = work;
  }

  /** Ends with a run that began after this call. */
  run(): Promise<void> {
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      const run = this.#work();
      this.#current = run.catch(() => {}); // told to those who share it
      return run;
    });
    return this.#next;
  }
}
