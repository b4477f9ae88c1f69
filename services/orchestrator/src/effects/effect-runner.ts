import {
  type EffectId,
  effectId,
  Fault,
  type Refusal,
  type RoundEffect,
  type RoundEffectOutcome,
  type RoundState,
} from '@flexlora/core';
import { type Clock, type Logger, retry } from '@flexlora/runtime';
import type { Lease, ObjectStore } from '@flexlora/stores';
import { eventIdOf } from '../event-id.ts';
import {
  EFFECT_RETRY,
  EFFECTS_AT_ONCE_MAX,
  SWEEPS_AT_ONCE_MAX,
  TROUBLE_ATTEMPTS_MIN,
  TROUBLE_TOLD_MS,
} from '../limits.ts';
import type { OrchestratorMetrics } from '../metrics.ts';
import type { EventDoor } from '../offer-event.ts';
import { cutText } from '../translate/cut-text.ts';
import { performEffect } from './perform-effect.ts';
import { StateIsBehind } from './state-is-behind.ts';

/** Performs the effects of one run while its lease is held, a few at a time, and tells the run when each is done. */
export interface EffectRunner {
  /** `state` and `version` are those of the commit that made the effects due. */
  start(state: RoundState, version: number, effects: Iterable<RoundEffect>): void;
  /** The same for effects that are pending in a state and that nobody works on: a report of theirs was lost. */
  startForgotten(state: RoundState, version: number): void;
  /** Resolves when nothing is under way any more; call it after the session's signal is aborted. */
  idle(): Promise<void>;
}

interface DueEffect {
  readonly id: EffectId;
  readonly effect: RoundEffect;
  readonly state: RoundState;
  readonly version: number;
}

export function createEffectRunner(deps: {
  readonly objectStore: ObjectStore;
  readonly door: EventDoor;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: OrchestratorMetrics;
  readonly signal: AbortSignal;
  /** Under which the run is held. */
  readonly lease: Lease;
  /** Tells the run what the object store holds beyond this state. */
  readonly catchUp: (state: RoundState) => Promise<Refusal | null>;
}): EffectRunner {
  const { objectStore, door, clock, random, logger, metrics, signal, catchUp, lease } = deps;
  // Bounded by the effects of the state, which the runs' own limits bound.
  const rounds: Lane = { due: [], working: new Set(), atOnceMax: EFFECTS_AT_ONCE_MAX };
  // Apart, because no round waits for them: a bucket that lets nothing be deleted holds nobody up.
  const sweeps: Lane = { due: [], working: new Set(), atOnceMax: SWEEPS_AT_ONCE_MAX };
  const underWay = new Set<EffectId>();

  const toldAtMs = new Map<EffectId, number>();

  /** From the third try on people should know what the run waits for; now and then is enough. */
  const tellTrouble = ({ id, version, state }: DueEffect, error: unknown, attempts: number): void => {
    const atMs = clock.nowMs();
    if (attempts < TROUBLE_ATTEMPTS_MIN || atMs - (toldAtMs.get(id) ?? 0) < TROUBLE_TOLD_MS) return;
    toldAtMs.set(id, atMs);
    const { runId } = state.spec;
    const eventId = eventIdOf('effectTroubled', runId, id, version, lease.holder, attempts);
    const reason = cutText(error instanceof Error ? error.message : String(error));
    const event = { kind: 'effectTroubled', atMs, effectId: id, reason, attempts } as const;
    door.tell(runId, eventId, event).catch((fault: unknown) => {
      logger.debug({ err: fault }, 'the run could not be told what it waits for');
    });
  };

  /** Null: the run has gone on from what the object store holds, and this effect is not of it. */
  const performOrCatchUp = async (state: RoundState, effect: RoundEffect): Promise<RoundEffectOutcome | null> => {
    try {
      return await performEffect(objectStore, state, effect, signal, logger);
    } catch (error) {
      if (!(error instanceof StateIsBehind)) throw error;
      const refusal = await catchUp(state);
      // It says what keeps the run from the object store's word; that it is behind would help nobody.
      if (refusal !== null) throw new Fault(refusal.message);
      logger.warn(
        { effect: effect.kind, err: error },
        'the round store was behind: the run goes on from the object store',
      );
      return null;
    }
  };

  const perform = (due: DueEffect): Promise<void> => {
    const { id, effect, state, version } = due;
    return retry(
      async () => {
        const outcome = await performOrCatchUp(state, effect);
        if (outcome === null) return;
        const runId = state.spec.runId;
        // The version tells a second need of the same effect from a repetition of the first; the grant tells it from a history that was lost.
        const eventId = eventIdOf('effectDone', runId, id, version, lease.holder);
        const refusal = await door.tell(runId, eventId, {
          kind: 'effectDone',
          atMs: clock.nowMs(),
          effectId: id,
          outcome,
        });
        if (refusal !== null) logger.error({ effect: effect.kind, refusal }, 'a run refused to hear of its own effect');
        metrics.performed(effect.kind, 'done');
      },
      EFFECT_RETRY,
      { clock, random },
      {
        signal,
        onRetry: (error, attempt, waitMs) => {
          metrics.performed(effect.kind, 'retried');
          tellTrouble(due, error, attempt);
          logger.warn({ effect: effect.kind, attempt, waitMs, err: error }, 'an effect failed and is tried again');
        },
      },
    );
  };

  const pump = (lane: Lane): void => {
    while (!signal.aborted && lane.working.size < lane.atOnceMax) {
      const next = lane.due.shift();
      if (next === undefined) return;
      const work: Promise<void> = perform(next)
        .catch((error: unknown) => {
          if (!signal.aborted) logger.error({ effect: next.effect.kind, err: error }, 'an effect was given up');
        })
        .finally(() => {
          underWay.delete(next.id);
          lane.working.delete(work);
          pump(lane);
        });
      lane.working.add(work);
    }
  };

  const start: EffectRunner['start'] = (state, version, effects) => {
    for (const effect of effects) {
      const id = effectId(effect);
      underWay.add(id);
      (effect.kind === 'sweepRound' ? sweeps : rounds).due.push({ id, effect, state, version });
    }
    pump(rounds);
    pump(sweeps);
  };

  return {
    start,
    startForgotten: (state, version) => {
      start(
        state,
        version,
        [...state.effects].filter(([id]) => !underWay.has(id)).map(([, effect]) => effect),
      );
    },
    idle: async () => {
      while (rounds.working.size + sweeps.working.size > 0) await Promise.all([...rounds.working, ...sweeps.working]);
    },
  };
}

/** Effects that are performed a few at a time, in their order. */
interface Lane {
  readonly due: DueEffect[];
  readonly working: Set<Promise<void>>;
  readonly atOnceMax: number;
}
