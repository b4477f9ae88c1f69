import { isDeepStrictEqual } from 'node:util';
import {
  acceptedUpdates,
  checkInvariants,
  checkTransition,
  decodeState,
  holdsState,
  type RoundState,
  type RunId,
  whyWaiting,
} from '@flexlora/core';
import type { Lease, RoundStore } from '@flexlora/stores';
import type { Findings } from './findings.ts';
import type { ObjectWatch } from './object-watch.ts';

/** The committed state of the run, held against what always holds of it. */
export interface StateWatch {
  /** As of the last look. */
  readonly state: RoundState | null;
  /** To be called by the round store with every commit. */
  committed(lease: Lease, result: 'committed' | 'fenced'): void;
  /** The round store is another one than before: what it lost was no transition. */
  forgot(how: 'lost' | 'rolledBack'): void;
  /** Whether there was anything new. */
  look(nowMs: number): Promise<boolean>;
  /** How often something happened that only some seeds bring. */
  readonly seen: ReadonlyMap<Sight, number>;
}

export const SIGHTS = [
  'takeover',
  'fencedCommit',
  'recovery',
  'reopened',
  'carried',
  'heldTask',
  'lapsedTask',
] as const;
export type Sight = (typeof SIGHTS)[number];

/** More effects than this pending at once would grow with something that has no bound. */
const EFFECTS_MAX = 8;

/** @param onHeld called whenever a task is held: only an operator leads out of it. */
export function createStateWatch(
  runId: RunId,
  roundStore: () => RoundStore,
  objects: ObjectWatch,
  findings: Findings,
  onHeld: () => void,
): StateWatch {
  let state: RoundState | null = null;
  let newestEpoch = 0;
  let holder: string | null = null;
  let hasChanged = false;
  let isLost = false;
  const seen = new Map<Sight, number>();
  const saw = (what: Sight): void => void seen.set(what, (seen.get(what) ?? 0) + 1);

  const notice = (before: RoundState | null, after: RoundState): void => {
    if (isLost && before === null) saw('recovery');
    if (after.phase.kind === 'recruiting' && before?.phase.kind === 'collecting') saw('reopened');
    for (const { progress } of after.tasks.values()) {
      if (progress.kind === 'held') {
        saw('heldTask');
        onHeld();
      }
      if (progress.kind === 'pending' && progress.lapsedFrom !== null) saw('lapsedTask');
    }
    for (const update of acceptedUpdates(after))
      if ('trainedIn' in update && update.trainedIn !== undefined) saw('carried');
  };

  const check = (before: RoundState | null, after: RoundState, nowMs: number): void => {
    for (const sentence of checkInvariants(after)) findings.broken(sentence);
    if (before !== null)
      for (const sentence of checkTransition(before, sharing(before, after))) findings.broken(sentence);
    if (after.effects.size > EFFECTS_MAX) findings.broken(`${after.effects.size} effects are pending`);
    if (whyWaiting(after, nowMs).trim() === '') findings.broken(`a run that is ${after.phase.kind} says nothing`);
    for (const { objectName, agentId } of acceptedUpdates(after))
      if (!objects.has(objectName)) findings.broken(`the accepted update of ${agentId}, ${objectName}, is not there`);
    for (const [taskId, { progress }] of after.tasks)
      if (progress.kind === 'done' && !objects.has(progress.result.objectName))
        findings.broken(`the result of ${taskId}, ${progress.result.objectName}, is not there`);
    for (const [round, { manifest }] of after.published)
      if (!objects.manifests.has(round))
        findings.broken(`round ${round} is published, and ${manifest.objectName} is not there`);
  };

  return {
    get state() {
      return state;
    },
    seen,
    committed: (lease, result) => {
      if (result === 'fenced') return saw('fencedCommit');
      if (lease.epoch < newestEpoch)
        findings.broken(
          `${lease.holder} committed under epoch ${lease.epoch}; the newest that committed is ${newestEpoch}`,
        );
      newestEpoch = lease.epoch;
      const [process] = lease.holder.split('#');
      if (holder !== null && holder !== process && state?.phase.kind !== 'settled') saw('takeover');
      holder = process ?? null;
      hasChanged = true;
    },
    forgot: (how) => {
      state = null;
      newestEpoch = 0;
      isLost = how === 'lost';
      hasChanged = true;
    },
    look: async (nowMs) => {
      if (!hasChanged) return false;
      hasChanged = false;
      const view = await roundStore().readState(runId);
      if (view === null || !holdsState(view.fields)) return true;
      const after = decodeState(view.fields);
      notice(state, after);
      check(state, after, nowMs);
      state = after;
      isLost = false;
      return true;
    },
  };
}

/** What stayed the same is the same object, as in a state that was not read from a store. */
function sharing(before: RoundState, after: RoundState): RoundState {
  const published = new Map(after.published);
  for (const [round, summary] of before.published)
    if (isDeepStrictEqual(published.get(round), summary)) published.set(round, summary);
  return { ...after, published, phase: isDeepStrictEqual(after.phase, before.phase) ? before.phase : after.phase };
}
