import { type Answer, answer } from './answer.ts';
import { standingOf } from './documents/run-standing.ts';
import { onEffectDone, onEffectTroubled } from './effect-done.ts';
import { onAgentEnrolled, onAgentsReady } from './enrolment.ts';
import { onRunCreated, onRunRecovered, openRun } from './open-run.ts';
import { onCancelRequested, onPauseRequested, onResumeRequested } from './operator-requests.ts';
import { changedKeys, compareKeys } from './persistent-map.ts';
import { advanceAggregating, onAggregating } from './phases/aggregating.ts';
import { advanceCollecting, onCollecting } from './phases/collecting.ts';
import type { PhaseEvent } from './phases/phase-event.ts';
import { advanceRecruiting, onRecruiting } from './phases/recruiting.ts';
import { onSettled } from './phases/settled.ts';
import { onRetryRequested } from './retry-round.ts';
import { onRollbackRequested } from './roll-back.ts';
import type { RoundEffect } from './round-effect.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundReply } from './round-reply.ts';
import type { RoundState } from './round-state.ts';
import { noteStanding } from './standing.ts';

export interface StepResult {
  /** Null only while there is no run. The same object when the event changed nothing. */
  readonly state: RoundState | null;
  readonly reply: RoundReply;
  /** Effects that this event made pending, by their ids; all pending ones are in `state.effects`. */
  readonly emitted: readonly RoundEffect[];
}

/**
 * Folds one event into a run: every decision of a round is made here or in what this calls. Pure: the same state and event give the same
 * result on every machine. First the event changes facts (`on…`), then the phase moves on as far as the facts and the event's time
 * allow (`advance…`). A refused event changes no fact; its time may still move the phase, as a tick would.
 */
export function step(state: RoundState | null, event: RoundEvent): StepResult {
  if (state === null) {
    const opened = openRun(event);
    return opened.state === null
      ? { ...opened, emitted: [] }
      : finish(null, { ...opened, state: opened.state }, event.atMs);
  }
  return finish(state, onEvent(state, event), event.atMs);
}

function onEvent(state: RoundState, event: RoundEvent): Answer {
  switch (event.kind) {
    case 'runCreated':
      return onRunCreated(state, event);
    case 'runRecovered':
      return onRunRecovered(state, event);
    case 'agentEnrolled':
      return onAgentEnrolled(state, event);
    case 'agentsReady':
      return onAgentsReady(state, event);
    case 'effectDone':
      return onEffectDone(state, event);
    case 'effectTroubled':
      return onEffectTroubled(state, event);
    case 'pauseRequested':
      return onPauseRequested(state, event);
    case 'resumeRequested':
      return onResumeRequested(state);
    case 'cancelRequested':
      return onCancelRequested(state, event);
    case 'retryRequested':
      return onRetryRequested(state, event);
    case 'rollbackRequested':
      return onRollbackRequested(state, event);
    case 'ticked':
      return answer(state, { kind: 'done' });
    case 'agentProgressed':
    case 'assignmentDeclined':
    case 'agentFailed':
    case 'updateStored':
    case 'taskClaimed':
    case 'taskRenewed':
    case 'taskCompleted':
    case 'taskFailed':
      return onPhaseEvent(state, event);
  }
}

function onPhaseEvent(state: RoundState, event: PhaseEvent): Answer {
  switch (state.phase.kind) {
    case 'recruiting':
      return onRecruiting(state, event);
    case 'collecting':
      return onCollecting(state, event);
    case 'aggregating':
      return onAggregating(state, state.phase, event);
    case 'settled':
      return onSettled(state, event);
  }
}

function advance(state: RoundState, atMs: number): RoundState {
  switch (state.phase.kind) {
    case 'recruiting':
      return advanceRecruiting(state, state.phase, atMs);
    case 'collecting':
      return advanceCollecting(state, state.phase, atMs);
    case 'aggregating':
      return advanceAggregating(state, state.phase, atMs);
    case 'settled':
      return state;
  }
}

/** The longest chain: collecting → recruiting again → its start fixed; one more call finds nothing to do. */
const ADVANCES_MAX = 4;

function finish(before: RoundState | null, { state, reply }: Answer, atMs: number): StepResult {
  let after = state;
  for (let advances = 0; advances < ADVANCES_MAX; advances += 1) {
    const next = advance(after, atMs);
    if (next === after) {
      // A standing that came from the object store stands there already.
      const known = before?.standingSequence === state.standingSequence ? before : state;
      const noted = noteStanding(standingOf(known), after);
      return { state: noted, reply, emitted: emittedBetween(before, noted) };
    }
    after = next;
  }
  throw new Error(
    `the phase ${after.phase.kind} of run ${after.spec.runId} did not come to rest in ${ADVANCES_MAX} transitions: a bug`,
  );
}

function emittedBetween(before: RoundState | null, after: RoundState): readonly RoundEffect[] {
  return changedKeys(before?.effects ?? new Map(), after.effects)
    .toSorted(compareKeys)
    .flatMap((id) => after.effects.get(id) ?? []);
}
