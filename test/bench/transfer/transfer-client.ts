import { setTimeout } from 'node:timers/promises';
import { collectForBytes, failureOf } from '@flexlora/runtime';
import { answerOrders } from './child-program.ts';
import { moverOf } from './move-bytes.ts';
import type { ClientOrder } from './transfer-case.ts';

// Moves bytes when it is told to, and says how long it took: once, to be warm, or as often as the case says.

const order = JSON.parse(process.argv[2] ?? '{}') as ClientOrder;
// As the agent's process does.
if (order.way === 'flexlora') collectForBytes();
const mover = await moverOf(order);

/** Again after what the service asks to wait, as an agent does, when as many are under way as it takes. */
async function admitted(transfer: () => Promise<number>): Promise<number> {
  for (;;) {
    try {
      return await transfer();
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind !== 'unavailable' || failure.retryMs === null) throw error;
      await setTimeout(failure.retryMs);
    }
  }
}

async function move(transfers: number): Promise<{ readonly seconds: number }> {
  const startedAt = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < transfers) {
      next += 1;
      const arrived = await admitted(mover.move);
      if (arrived !== mover.bytes) throw new Error(`${arrived} of ${mover.bytes} bytes arrived`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(order.atOnce, transfers) }, work));
  return { seconds: (performance.now() - startedAt) / 1_000 };
}

answerOrders(0, { warm: () => move(1), move: () => move(order.transfers) });
