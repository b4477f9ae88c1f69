/**
 * What `map` gives for each item, in the order of the items; `atOnceMax` of them are under way at any time. After a failure no other is begun;
 * it is thrown when those under way have ended.
 */
export async function mapAtOnce<Item, Value>(
  items: readonly Item[],
  atOnceMax: number,
  map: (item: Item) => Promise<Value>,
): Promise<readonly Value[]> {
  const values = new Map<number, Value>();
  const rest = items.entries();
  let isFailed = false;
  const takeTurns = async (): Promise<void> => {
    for (const [index, item] of rest) {
      if (isFailed) return;
      try {
        values.set(index, await map(item));
      } catch (error) {
        isFailed = true;
        throw error;
      }
    }
  };
  const turns = Array.from({ length: Math.min(atOnceMax, items.length) }, takeTurns);
  for (const ended of await Promise.allSettled(turns)) if (ended.status === 'rejected') throw ended.reason;
  return items.map((_, index) => values.get(index)!);
}
