/** Turns an operation that reports through a callback into something to iterate over. */

/**
 * Items come out as they were emitted; when the operation fails, its error follows the last of them. Whoever stops
 * early still waits for the operation, which is expected to watch a signal.
 */
export async function* fromCallback<Item>(run: (emit: (item: Item) => void) => Promise<void>): AsyncGenerator<Item> {
  const items: Item[] = [];
  let wake = (): void => {};
  let ended = false;
  const running = run((item) => {
    items.push(item);
    wake();
  }).finally(() => {
    ended = true;
    wake();
  });
  running.catch(() => {}); // thrown below, after the items
  try {
    while (!ended || items.length > 0) {
      yield* items.splice(0);
      if (!ended && items.length === 0)
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
    }
  } finally {
    await running;
  }
}
