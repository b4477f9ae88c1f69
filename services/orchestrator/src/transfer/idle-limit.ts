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
  try {
    for (;;) {
      const next = await within(iterator.next(), clock, idleMsMax, signal);
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    // Not awaited: ending an iterator that waits for a message waits for that message.
    iterator.return?.().catch(() => {});
  }
}

async function within<T>(message: Promise<T>, clock: Clock, idleMsMax: number, signal: AbortSignal): Promise<T> {
  const arrived = new AbortController();
  const idle = clock.sleep(idleMsMax, AbortSignal.any([arrived.signal, signal])).then(() => {
    throw new Fault(`no message came for ${idleMsMax} ms; ask GetUpload for the durable offset and go on from there`);
  });
  try {
    return await Promise.race([message, idle]);
  } finally {
    arrived.abort();
  }
}
