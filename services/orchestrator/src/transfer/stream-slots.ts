import { BusyFault } from '../busy-fault.ts';
import type { OrchestratorMetrics, TransferDirection } from '../metrics.ts';

/** How many streams of one direction a process carries at once: each holds a bounded buffer, so this bounds the memory of them all. */
export interface StreamSlots {
  /** @throws {BusyFault} when all are taken; the caller comes back, and another replica may have room. */
  take(): StreamSlot;
}

export interface StreamSlot {
  /** Gives the slot back; more than once is once. */
  release(): void;
}

export function createStreamSlots(
  direction: TransferDirection,
  streamsMax: number,
  metrics: OrchestratorMetrics,
): StreamSlots {
  let taken = 0;
  return {
    take: () => {
      if (taken >= streamsMax) {
        throw new BusyFault(`${taken} ${direction} streams are under way; allowed: ${streamsMax}; try again`);
      }
      taken += 1;
      metrics.transferStreams(direction, 1);
      let given = false;
      return {
        release: () => {
          if (given) return;
          given = true;
          taken -= 1;
          metrics.transferStreams(direction, -1);
        },
      };
    },
  };
}
