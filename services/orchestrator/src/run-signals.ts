import type { RunId } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { RoundStore } from '@flexlora/stores';
import { createPulse, type Pulse } from './pulse.ts';

/** The round store's signals as pulses: one subscription of the process, however many callers wait. */
export interface RunSignals {
  /** Beats with each commit of the run. */
  committed(runId: RunId): Pulse;
  /** Beats with each event offered to the run. */
  offered(runId: RunId): Pulse;
  /** Beats when the run's lease was given back. */
  released(runId: RunId): Pulse;
  /** Beats with each commit of any run. */
  readonly anyCommitted: Pulse;
  /** Beats with each event offered to a run that nobody here asked about yet: probably a new one. */
  readonly unknownOffered: Pulse;
  /** Beats as if every run had committed, so that whoever waits looks at what else has changed: the process stops. */
  wakeAll(): void;
  close(): void;
}

export async function createRunSignals(deps: {
  readonly roundStore: RoundStore;
  readonly clock: Clock;
}): Promise<RunSignals> {
  // Runs are never forgotten and at most RUNS_MAX, so no map grows without bound.
  const committed = new Map<RunId, Pulse>();
  const offered = new Map<RunId, Pulse>();
  const released = new Map<RunId, Pulse>();
  const anyCommitted = createPulse(deps.clock);
  const unknownOffered = createPulse(deps.clock);

  const pulseOf = (pulses: Map<RunId, Pulse>, runId: RunId): Pulse => {
    let pulse = pulses.get(runId);
    if (pulse === undefined) {
      pulse = createPulse(deps.clock);
      pulses.set(runId, pulse);
    }
    return pulse;
  };

  const unsubscribe = await deps.roundStore.subscribe((signal) => {
    switch (signal.kind) {
      case 'offered': {
        const pulse = offered.get(signal.runId);
        (pulse ?? unknownOffered).beat();
        return;
      }
      case 'committed':
        committed.get(signal.runId)?.beat();
        anyCommitted.beat();
        return;
      case 'released':
        released.get(signal.runId)?.beat();
    }
  });

  return {
    committed: (runId) => pulseOf(committed, runId),
    offered: (runId) => pulseOf(offered, runId),
    released: (runId) => pulseOf(released, runId),
    anyCommitted,
    unknownOffered,
    wakeAll: () => {
      for (const pulse of committed.values()) pulse.beat();
      anyCommitted.beat();
    },
    close: unsubscribe,
  };
}
