import { collectForBytes } from '@flexlora/runtime';
import { answerOrders } from './child-program.ts';
import { moverOf } from './move-bytes.ts';
import { AT_ONCE_MAX, type ClientOrder } from './transfer-case.ts';

// Moves bytes when it is told to, and says how long it took: once, to be warm, or as often as the case says.

const order = JSON.parse(process.argv[2] ?? '{}') as ClientOrder;
// As the agent's process does.
if (order.way === 'flexlora') collectForBytes();
const mover = await moverOf(order);

async function move(transfers: number): Promise<{ readonly seconds: number }> {
  const startedAt = performance.now();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < transfers) {
      next += 1;
      const arrived = await mover.move();
      if (arrived !== mover.bytes) throw new Error(`${arrived} of ${mover.bytes} bytes arrived`);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE_MAX, transfers) }, work));
  return { seconds: (performance.now() - startedAt) / 1_000 };
}

answerOrders(0, { warm: () => move(1), move: () => move(order.transfers) });
