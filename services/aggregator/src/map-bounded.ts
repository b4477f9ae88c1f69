/**
 * Maps with at most `atOnce` operations under way; the answers are in the order of the items. The first error aborts the others and is
 * thrown when none of them runs any more.
 */
export async function mapBounded<Item, Answer>(
  items: readonly Item[],
  atOnce: number,
  operation: (item: Item, signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal,
): Promise<readonly Answer[]> {
  const answers = new Array<Answer>(items.length);
  const failure = new AbortController();
  const either = AbortSignal.any([signal, failure.signal]);
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < items.length) {
      either.throwIfAborted();
      const index = next;
      next += 1;
      answers[index] = await operation(items[index]!, either);
    }
  };
  const workers = Array.from({ length: Math.min(atOnce, items.length) }, () =>
    work().catch((error: unknown) => {
      // Only the first abort counts, so its reason is the first error.
      failure.abort(error);
    }),
  );
  await Promise.all(workers);
  if (failure.signal.aborted) throw failure.signal.reason;
  return answers;
}
