import type { Clock } from '@flexlora/runtime';
import { STARTS_PER_SECOND } from './limits.ts';
import type { VirtualAgent } from './virtual-agent.ts';

/**
 * Runs every agent until its run has ended or the signal is aborted; they begin one after the other, as a fleet does. One that fails, for a
 * bug, stops the others; its failure is thrown when none runs any more.
 */
export async function runFleet(
  deps: { readonly clock: Clock },
  options: {
    /** Their places in the whole fleet: the order in which they begin. */
    readonly agents: readonly number[];
    /** Makes the agent of this place, the nth of these, when it begins. */
    readonly create: (index: number, nth: number) => VirtualAgent;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  // Each agent has a signal of its own: Node looks through everything that hangs on a signal whenever one of it is collected.
  const stops = options.agents.map(() => new AbortController());
  const stopAll = (reason: unknown): void => {
    for (const stop of stops) stop.abort(reason);
  };
  const onAbort = (): void => stopAll(options.signal.reason);
  options.signal.addEventListener('abort', onAbort, { once: true });
  if (options.signal.aborted) onAbort();
  try {
    const endings = await Promise.allSettled(
      options.agents.map(async (index, nth) => {
        const { signal } = stops[nth]!;
        try {
          await deps.clock.sleep((index * 1_000) / STARTS_PER_SECOND, signal);
          await options.create(index, nth).run(signal);
        } catch (error) {
          if (signal.aborted) return;
          stopAll(error);
          throw error;
        }
      }),
    );
    for (const ending of endings) if (ending.status === 'rejected') throw ending.reason;
  } finally {
    options.signal.removeEventListener('abort', onAbort);
  }
}
