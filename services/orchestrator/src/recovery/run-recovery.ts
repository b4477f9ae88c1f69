import { isRefusal, parseRunId, RUNS_PREFIX, type RunId, specObjectName } from '@flexlora/core';
import { backoffMs, type Clock, type Logger } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { RUNS_POLL_MS, SESSION_RETRY } from '../limits.ts';
import type { EventDoor } from '../offer-event.ts';
import type { RunReader } from '../run-reader.ts';
import { recoverRun } from './recover-run.ts';

/**
 * The object store suffices: runs that it knows and the round store does not are begun anew from their last published adapter. It looks
 * when the process starts, and when runs that were there are not there any more.
 */
export interface RunRecovery {
  stop(): Promise<void>;
}

export function createRunRecovery(deps: {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly reader: RunReader;
  readonly door: EventDoor;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
}): RunRecovery {
  const { roundStore, objectStore, reader, clock, logger } = deps;
  const stopping = new AbortController();
  const { signal } = stopping;

  const recoverLost = async (): Promise<void> => {
    for (const runId of await listSpecified(objectStore, signal)) {
      if ((await reader.readHead(runId)) !== null) continue;
      const refusal = await recoverRun(deps, runId, signal);
      if (refusal === null) logger.warn({ runId }, 'the round store lost this run; it goes on from the object store');
      else logger.error({ runId, refusal }, 'the round store lost this run, and its objects do not make it again');
    }
  };

  /** Returns when a run that was there is not there any more: the round store lost its data. */
  const waitForLoss = async (): Promise<void> => {
    let known: readonly RunId[] = [];
    for (;;) {
      const present = new Set(await roundStore.listRuns());
      if (known.some((runId) => !present.has(runId))) return;
      known = [...present];
      await clock.sleep(RUNS_POLL_MS, signal);
    }
  };

  const watch = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; ) {
      try {
        await recoverLost();
        failures = 0;
        await waitForLoss();
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        logger.warn({ err: error, failures }, 'lost runs could not be looked for; they are looked for again');
        await clock.sleep(backoffMs(SESSION_RETRY, failures, deps.random), signal).catch(() => {});
      }
    }
  };
  const watching = watch();

  return {
    stop: async () => {
      stopping.abort(new Error('the process stops'));
      await watching;
    },
  };
}

/** Runs whose specification is stored; it is written after a run's first commit, so each of them had a state. */
async function listSpecified(objectStore: ObjectStore, signal: AbortSignal): Promise<readonly RunId[]> {
  const runIds: RunId[] = [];
  for await (const { name } of objectStore.list(RUNS_PREFIX, signal)) {
    const runId = parseRunId(name.slice(RUNS_PREFIX.length).split('/')[0] ?? '');
    if (!isRefusal(runId) && name === specObjectName(runId)) runIds.push(runId);
  }
  return runIds;
}
