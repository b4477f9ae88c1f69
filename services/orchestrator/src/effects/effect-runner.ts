import {
  type EffectId,
  effectId,
  type Refusal,
  type RoundEffect,
  type RoundEffectOutcome,
  type RoundState,
} from '@flexlora/core';
import { type Clock, type Logger, retry } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { eventIdOf } from '../event-id.ts';
import { EFFECT_RETRY, EFFECTS_AT_ONCE_MAX, TROUBLE_ATTEMPTS_MIN, TROUBLE_TOLD_MS } from '../limits.ts';
import type { OrchestratorMetrics } from '../metrics.ts';
import type { EventDoor } from '../offer-event.ts';
import { cutText } from '../translate/cut-text.ts';
import { performEffect } from './perform-effect.ts';
import { StateIsBehind } from './state-is-behind.ts';

/** Performs the effects of one run while its lease is held, a few at a time, and tells the run when each is done. */
export interface EffectRunner {
  /** `state` and `version` are those of the commit that made the effects due. */
  start(state: RoundState, version: number, effects: Iterable<RoundEffect>): void;
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
  /** Tells the run what the object store holds beyond this state. */
  readonly catchUp: (state: RoundState) => Promise<Refusal | null>;
}): EffectRunner {
  const { objectStore, door, clock, random, logger, metrics, signal, catchUp } = deps;
  // Bounded by the effects of the state, which the runs' own limits bound.
  const due: DueEffect[] = [];
  const working = new Set<Promise<void>>();

  const toldAtMs = new Map<EffectId, number>();

  /** From the third try on people should know what the run waits for; now and then is enough. */
  const tellTrouble = (due: Pick<DueEffect, 'id' | 'version' | 'state'>, error: unknown, attempts: number): void => {
    const atMs = clock.nowMs();
    if (attempts < TROUBLE_ATTEMPTS_MIN || atMs - (toldAtMs.get(due.id) ?? 0) < TROUBLE_TOLD_MS) return;
    toldAtMs.set(due.id, atMs);
    const runId = due.state.spec.runId;
    const eventId = eventIdOf('effectTroubled', runId, due.id, due.version, attempts);
    const reason = cutText(error instanceof Error ? error.message : String(error));
    const event = { kind: 'effectTroubled', atMs, effectId: due.id, reason, attempts } as const;
    door.tell(runId, eventId, event).catch((fault: unknown) => {
      logger.debug({ err: fault }, 'the run could not be told what it waits for');
    });
  };

  /** Null: the run has gone on from what the object store holds, and this effect is not of it. */
  const performOrCatchUp = async (state: RoundState, effect: RoundEffect): Promise<RoundEffectOutcome | null> => {
    try {
      return await performEffect(objectStore, state, effect, signal);
    } catch (error) {
      if (!(error instanceof StateIsBehind) || (await catchUp(state)) !== null) throw error;
      logger.warn(
        { effect: effect.kind, err: error },
        'the round store was behind: the run goes on from the object store',
      );
      return null;
    }
  };

  const perform = ({ id, effect, state, version }: DueEffect): Promise<void> =>
    retry(
      async () => {
        const outcome = await performOrCatchUp(state, effect);
        if (outcome === null) return;
        const runId = state.spec.runId;
        // The version tells a second need of the same effect from a repetition of the first.
        const eventId = eventIdOf('effectDone', runId, id, version);
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
          tellTrouble({ id, version, state }, error, attempt);
          logger.warn({ effect: effect.kind, attempt, waitMs, err: error }, 'an effect failed and is tried again');
        },
      },
    );

  const pump = (): void => {
    while (!signal.aborted && working.size < EFFECTS_AT_ONCE_MAX) {
      const next = due.shift();
      if (next === undefined) return;
      const work: Promise<void> = perform(next)
        .catch((error: unknown) => {
          if (!signal.aborted) logger.error({ effect: next.effect.kind, err: error }, 'an effect was given up');
        })
        .finally(() => {
          working.delete(work);
          pump();
        });
      working.add(work);
    }
  };

  return {
    start: (state, version, effects) => {
      for (const effect of effects) due.push({ id: effectId(effect), effect, state, version });
      pump();
    },
    idle: async () => {
      while (working.size > 0) await Promise.all(working);
    },
  };
}
