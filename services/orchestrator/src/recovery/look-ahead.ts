import {
  type AgentId,
  isRefusal,
  ledgerObjectName,
  manifestObjectName,
  type RoundEvent,
  type RoundState,
} from '@flexlora/core';
import { type Clock, type Logger, retry } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { DamagedDocument } from '../documents/parse-document.ts';
import { readStanding } from '../documents/run-standing.ts';
import { readUpdatesOwed } from '../documents/updates-owed.ts';
import { LOOK_AHEAD_MS_MAX, SESSION_RETRY } from '../limits.ts';
import { readRecovery } from './recover-run.ts';

export interface LookAheadDeps {
  readonly objectStore: ObjectStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}

/**
 * What a state lacks that the object store holds, as an event for it; null: nothing. A round store that stepped back (a replica that was
 * promoted, a file of the second before) gives such a state. Asked with each taking of a lease, before anything else is folded, so that
 * nobody is promised a place in a round that is closed already: a few requests, and the whole story only where they find something.
 *
 * A run does not wait for an object store that is slow or away: what is found later goes to `late`.
 */
export async function lookAhead(
  deps: LookAheadDeps,
  state: RoundState,
  signal: AbortSignal,
  late: (missed: RoundEvent) => void,
): Promise<RoundEvent | null> {
  if (isOver(state)) return null;
  const looking = retry(() => readMissed(deps, state, signal), SESSION_RETRY, deps, {
    signal,
    isWorthRetrying: (error) => !(error instanceof DamagedDocument),
  }).catch((error: unknown) => {
    if (!signal.aborted) deps.logger.error({ err: error }, 'what the object store holds beyond the state is not known');
    return null;
  });
  const cut = new AbortController();
  const patience = deps.clock.sleep(LOOK_AHEAD_MS_MAX, cut.signal).then(
    () => 'late' as const,
    () => null,
  );
  const found = await Promise.race([looking, patience]);
  cut.abort();
  if (found !== 'late') return found;
  void looking.then((missed) => {
    if (missed !== null && !signal.aborted) late(missed);
  });
  return null;
}

/** A store that steps back cannot end a run. */
const isOver = ({ phase }: RoundState): boolean => phase.kind === 'settled' && phase.outcome !== 'failed';

async function readMissed(deps: LookAheadDeps, state: RoundState, signal: AbortSignal): Promise<RoundEvent | null> {
  if (!(await isBehind(deps.objectStore, state, signal))) return readUnknownUpdates(deps, state, signal);
  const missed = await readRecovery(deps, state.spec.runId, state, signal);
  if (!isRefusal(missed)) return missed;
  deps.logger.error({ refusal: missed }, 'the object store is ahead of the round store, and does not say how');
  return null;
}

/** Updates of the open round that were verified and that the state does not know: their agents need not make them again. */
async function readUnknownUpdates(
  { objectStore, clock }: LookAheadDeps,
  state: RoundState,
  signal: AbortSignal,
): Promise<RoundEvent | null> {
  const { spec, round, published, cohort } = state;
  if (!takesUpdates(state) || round === 0) return null;
  const isKnown = (agentId: AgentId): boolean => cohort.get(agentId)?.progress.kind === 'accepted';
  const admitted = await readUpdatesOwed(objectStore, spec, round, signal, isKnown);
  if (admitted.length === 0) return null;
  return {
    kind: 'runRecovered',
    atMs: clock.nowMs(),
    spec,
    published: [...published.values()],
    admitted,
    openRound: 'collecting',
    standing: null,
    carried: [],
    ledgers: [],
  };
}

const takesUpdates = ({ phase }: RoundState): boolean => phase.kind === 'recruiting' || phase.kind === 'collecting';

async function isBehind(objectStore: ObjectStore, state: RoundState, signal: AbortSignal): Promise<boolean> {
  const { spec, published } = state;
  const ahead = [
    manifestObjectName(spec.runId, published.size),
    ...(takesUpdates(state) ? [ledgerObjectName(spec.runId, published.size)] : []),
  ];
  const [standing, ...found] = await Promise.all([
    readStanding(objectStore, spec.runId, signal),
    ...ahead.map((name) => objectStore.head(name, signal)),
  ]);
  if (found.some((object) => object !== null)) return true;
  return standing !== null && standing.sequence > state.standingSequence;
}
