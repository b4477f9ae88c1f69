import { Fault } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';

/**
 * Passes messages on, and throws a fault when none came for `idleMsMax` while one was asked for. There is no limit on a transfer's whole
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
  let asked: { readonly atMs: number; readonly fail: (error: unknown) => void } | null = null;
  const giveUp = (): void => asked?.fail(signal.reason);
  signal.addEventListener('abort', giveUp, { once: true });

  // One sleeper for many messages: a timer of each would cost more than the message. It ends where it finds none asked for.
  let isWatched = false;
  const watch = async (): Promise<void> => {
    isWatched = true;
    while (asked !== null) {
      const leftMs = asked.atMs + idleMsMax - clock.nowMs();
      if (leftMs <= 0) {
        const silent = `no message came for ${idleMsMax} ms; ask GetUpload for the durable offset and go on from there`;
        return asked.fail(new Fault(silent));
      }
      await clock.sleep(leftMs, ended.signal);
    }
    isWatched = false;
  };

  try {
    for (;;) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Message>>();
      asked = { atMs: clock.nowMs(), fail: reject };
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
