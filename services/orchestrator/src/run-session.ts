import {
  decodeHead,
  decodeState,
  diffState,
  effectId,
  HEAD_FIELD,
  headOf,
  holdsState,
  isRefusal,
  type RoundEffect,
  type RoundEvent,
  type RoundState,
  type RunId,
  step,
  wakeAtMs,
} from '@flexlora/core';
import type { Clock, Logger } from '@flexlora/runtime';
import type { Lease, OfferedEvent, RoundStore } from '@flexlora/stores';
import type { EffectRunner } from './effects/effect-runner.ts';
import { eventIdOf } from './event-id.ts';
import { decodeEvent, encodeReply, notAhead } from './event-text.ts';
import { FOLD_EVENTS_MAX, INBOX_POLL_MS } from './limits.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import type { EventDoor } from './offer-event.ts';
import type { Pulse } from './pulse.ts';
import type { RunWaiting } from './waiting-runs.ts';

/** Why a session ended. */
export type SessionEnd =
  | 'leaseLost'
  /** The run has ended and done all it had to. */
  | 'nothingLeft'
  /** It was named but never created. */
  | 'noRun';

export interface RunSessionDeps {
  readonly roundStore: RoundStore;
  readonly door: EventDoor;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: OrchestratorMetrics;
  readonly waiting: RunWaiting;
}

interface Folded {
  readonly state: RoundState | null;
  readonly replies: readonly { readonly eventId: OfferedEvent['eventId']; readonly body: string }[];
  readonly emitted: readonly RoundEffect[];
}

/**
 * Holds one run from taking its lease to losing it: loads the state once, then folds, commits, and only then acts. Nothing of a
 * session outlives it, so that a fenced commit or a fault of the store is answered by forgetting everything and beginning anew.
 */
export async function holdRun(
  deps: RunSessionDeps,
  lease: Lease,
  offered: Pulse,
  effects: EffectRunner,
  lookAhead: (state: RoundState) => Promise<RoundEvent | null>,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const { roundStore, clock } = deps;
  const runId = lease.runId;
  const view = await roundStore.readState(runId);
  let version = view?.version ?? 0;
  // Refusals alone may have been committed: then there is a version without a state.
  let state = view !== null && holdsState(view.fields) ? decodeState(view.fields) : null;

  /** Resolves to false when somebody else holds the run by now. */
  const commit = async ({ state: next, replies }: Omit<Folded, 'emitted'>, consumed: number): Promise<boolean> => {
    const startedAtMs = clock.nowMs();
    const { put, drop } = next === null ? NOTHING_CHANGED : diffState(state, next);
    const result = await roundStore.commit(lease, { expectedVersion: version, put, drop, consumed, replies });
    deps.metrics.committed(result, (clock.nowMs() - startedAtMs) / 1000);
    if (result === 'fenced') return false;
    state = next;
    version += 1;
    const head = put.get(HEAD_FIELD);
    if (head !== undefined) deps.waiting.stands(decodeHead(head));
    return true;
  };

  if (state !== null) {
    deps.waiting.stands(headOf(state));
    const missed = await lookAhead(state);
    if (missed !== null && !(await commit({ state: catchUp(deps, state, missed), replies: [] }, 0))) return 'leaseLost';
    effects.start(state, version, state.effects.values());
  }

  for (;;) {
    signal.throwIfAborted();
    const seen = offered.count;
    const events = await roundStore.readInbox(runId, FOLD_EVENTS_MAX);
    if (events.length === 0) {
      if (state === null) return 'noRun';
      if (isFinished(state)) return 'nothingLeft';
      deps.waiting.timePassed();
      effects.startForgotten(state, version);
      await waitForWork(deps, runId, state, offered, seen, signal);
      continue;
    }
    const folded = fold(deps, state, events);
    if (!(await commit(folded, events.length))) return 'leaseLost';
    if (state !== null) effects.start(state, version, stillPending(state, folded.emitted));
  }
}

const NOTHING_CHANGED = { put: new Map<string, string>(), drop: [] as readonly string[] };

const isFinished = (state: RoundState): boolean => state.phase.kind === 'settled' && state.effects.size === 0;

/** A later event of the same batch may have made an effect needless: a run that was cancelled publishes nothing. */
const stillPending = (state: RoundState, emitted: readonly RoundEffect[]): readonly RoundEffect[] =>
  emitted.filter((effect) => state.effects.has(effectId(effect)));

/** What the object store holds beyond the state is folded before any event: those were offered to a run that knew less. */
function catchUp(deps: RunSessionDeps, state: RoundState, missed: RoundEvent): RoundState | null {
  const { state: caughtUp, reply } = step(state, missed);
  deps.metrics.folded(missed.kind, isRefusal(reply) ? 'refused' : 'done');
  if (isRefusal(reply)) deps.logger.error({ refusal: reply }, 'the run refused what the object store holds beyond it');
  else deps.logger.warn({}, 'the round store was behind: the run goes on from the object store');
  return caughtUp;
}

function fold(deps: RunSessionDeps, before: RoundState | null, events: readonly OfferedEvent[]): Folded {
  let state = before;
  const replies: { readonly eventId: OfferedEvent['eventId']; readonly body: string }[] = [];
  const emitted: RoundEffect[] = [];
  for (const { eventId, body } of events) {
    const event = notAhead(decodeEvent(body), deps.clock.nowMs());
    const result = step(state, event);
    deps.metrics.folded(event.kind, isRefusal(result.reply) ? 'refused' : 'done');
    state = result.state;
    replies.push({ eventId, body: encodeReply(result.reply) });
    emitted.push(...result.emitted);
  }
  return { state, replies, emitted };
}

/** Returns when an event was offered, when the time that the state waits for has come (and offers that), or at the slow poll. */
async function waitForWork(
  deps: RunSessionDeps,
  runId: RunId,
  state: RoundState | null,
  offered: Pulse,
  seen: number,
  signal: AbortSignal,
): Promise<void> {
  const dueAtMs = state === null ? null : wakeAtMs(state);
  const nowMs = deps.clock.nowMs();
  if (dueAtMs !== null && dueAtMs <= nowMs) {
    // The second in the id lets a tick that changed nothing come again, and no faster.
    const eventId = eventIdOf('ticked', runId, dueAtMs, Math.floor(nowMs / 1000));
    const refusal = await deps.door.tell(runId, eventId, { kind: 'ticked', atMs: nowMs });
    if (refusal !== null) deps.logger.error({ refusal }, 'a run refused to hear of time');
    // Its own offer wakes this wait; a tick that was folded before waits for the next second.
    await offered.waitSince(seen, INBOX_POLL_MS, signal);
    return;
  }
  const waitMs = dueAtMs === null ? INBOX_POLL_MS : Math.min(INBOX_POLL_MS, dueAtMs - nowMs);
  await offered.waitSince(seen, waitMs, signal);
}
