import { changesAtMs } from '../aggregation/task-lease.ts';
import type { RoundState } from './round-state.ts';

/** The next time at which `ticked` would change something, if nothing else happens before; null when only an event can. */
export function wakeAtMs({ phase, paused, tasks }: RoundState): number | null {
  switch (phase.kind) {
    case 'recruiting':
      return paused === null ? phase.startsAtMs : null;
    case 'collecting':
      return phase.deadlineAtMs;
    case 'aggregating': {
      let earliest = Number.POSITIVE_INFINITY;
      for (const task of tasks.values()) earliest = Math.min(earliest, changesAtMs(task) ?? earliest);
      return Number.isFinite(earliest) ? earliest : null;
    }
    case 'settled':
      return null;
  }
}
