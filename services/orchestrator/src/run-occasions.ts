import type { RunId } from '@flexlora/core';
import type { Clock, Logger } from '@flexlora/runtime';
import { HEAD_AGE_MS_MAX, OCCASION_COALESCE_MS } from './limits.ts';
import { createPulse, type Pulse } from './pulse.ts';
import type { RunHeadView, RunReader } from './run-reader.ts';
import type { RunSignals } from './run-signals.ts';

/**
 * Tells waiting agents when it is worth looking: a round was opened, a pause ended, the run ended. A run commits many times a second while
 * updates come in; thousands of agents that wait are woken by none of these commits. A run that has settled is followed no further.
 */
export interface RunOccasions {
  /** Of a run that exists. */
  of(runId: RunId): Pulse;
}

/** What must change before an agent's own fields can have become an assignment. */
export const occasionOf = ({ round, phase, paused }: RunHeadView): string =>
  `${round} ${phase.kind} ${phase.sinceMs} ${paused === null}`;

export function createRunOccasions(deps: {
  readonly reader: RunReader;
  readonly signals: RunSignals;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly stopping: AbortSignal;
}): RunOccasions {
  const { reader, signals, clock, logger, stopping } = deps;
  const pulses = new Map<RunId, Pulse>();

  const follow = async (runId: RunId, pulse: Pulse): Promise<void> => {
    const commits = signals.committed(runId);
    let latest = '';
    while (!stopping.aborted) {
      const seen = commits.count;
      try {
        const head = await reader.readHead(runId);
        const occasion = head === null ? '' : occasionOf(head);
        if (occasion !== latest) pulse.beat();
        latest = occasion;
        if (head?.phase.kind === 'settled') return;
      } catch (error) {
        logger.warn({ runId, err: error }, 'a run could not be read for those who wait; it is read again');
        await clock.sleep(HEAD_AGE_MS_MAX, stopping);
      }
      await commits.waitSince(seen, HEAD_AGE_MS_MAX, stopping);
      await clock.sleep(OCCASION_COALESCE_MS, stopping);
    }
  };

  return {
    of: (runId) => {
      const present = pulses.get(runId);
      if (present !== undefined) return present;
      const pulse = createPulse(clock);
      pulses.set(runId, pulse);
      follow(runId, pulse)
        .catch((error: unknown) => {
          if (!stopping.aborted) logger.error({ runId, err: error }, 'a run is no longer followed');
        })
        .finally(() => pulses.delete(runId));
      return pulse;
    },
  };
}
