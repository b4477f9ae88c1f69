/**
 * What `read` gives for each item, in the order of the items: while one is used, the next is being read, and none beyond it, so two are
 * held at a time. Where the caller stops early, what is being read is aborted, and awaited.
 */
export async function* readAhead<Item, Value>(
  items: readonly Item[],
  read: (item: Item, signal: AbortSignal) => Promise<Value>,
  signal?: AbortSignal,
): AsyncGenerator<Value, void, void> {
  const stopped = new AbortController();
  const either = signal === undefined ? stopped.signal : AbortSignal.any([stopped.signal, signal]);
  const begin = (item: Item): Promise<Value> => {
    const reading = read(item, either);
    // Its failure is told where its value is asked for.
    reading.catch(() => {});
    return reading;
  };
  let ahead: Promise<Value> | null = null;
  try {
    for (const [index, item] of items.entries()) {
      const value: Value = await (ahead ?? begin(item));
      ahead = index + 1 < items.length ? begin(items[index + 1]!) : null;
      yield value;
    }
  } finally {
    stopped.abort();
    await ahead?.catch(() => {});
  }
}
