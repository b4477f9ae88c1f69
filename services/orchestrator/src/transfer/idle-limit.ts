import { CallerFault } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';

/**
 * Passes messages on, and throws a fault when none came for `idleMsMax`, or up to twice that, while one was asked for. There is no limit on a transfer's whole
 * time: a slow uplink is no fault. Throws the signal's reason when the caller gave up.
 */
export async function* withIdleLimit<Message>(
  messages: AsyncIterable<Message>,
  clock: Clock,
  idleMsMax: number,
  signal: AbortSignal,
): AsyncGenerator<Message, void> {
  const iterator = messages[Symbol.asyncIterator]();
  const ended = new AbortController();
  let asked: { readonly fail: (error: unknown) => void } | null = null;
  const giveUp = (): void => asked?.fail(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });

  // One sleeper for many messages: a timer of each would cost more than the message. It ends where it finds none asked for.
  let isWatched = false;
  const watch = async (): Promise<void> => {
    isWatched = true;
    for (let before = asked; before !== null; before = asked) {
      await clock.sleep(idleMsMax, ended.signal);
      if (asked === before) {
        const silent = `no message came for ${idleMsMax} ms; ask GetUpload for the durable offset and go on from there`;
        return before.fail(new CallerFault(silent));
      }
    }
    isWatched = false;
  };

  try {
    for (;;) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Message>>();
      asked = { fail: reject };
      if (!isWatched) watch().catch(reject);
      iterator.next().then(resolve, reject);
      const next = await promise;
      asked = null;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    ended.abort();
    signal.removeEventListener('abort', giveUp);
    // Not awaited: ending an iterator that waits for a message waits for that message.
    iterator.return?.().catch(() => {});
  }
}
