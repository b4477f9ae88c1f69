import { isRefusal, parseRunId, RUNS_PREFIX, type RunId, specObjectName } from '@flexlora/core';
import { backoffMs, type Clock, type Logger } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { RUNS_POLL_MS, SESSION_RETRY, SPECIFIED_POLL_MS } from '../limits.ts';
import type { EventDoor } from '../offer-event.ts';
import type { RunReader } from '../run-reader.ts';
import { recoverRun } from './recover-run.ts';

/**
 * The object store suffices: runs that it knows and the round store does not are begun anew from their last published adapter. It looks
 * when the process starts, and from time to time as long as it runs.
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

  /** One run after another, and none is kept from it by another one's documents. */
  const recoverLost = async (specified: ReadonlySet<RunId>): Promise<void> => {
    let fault: unknown = null;
    for (const runId of specified) {
      try {
        // Asked of the store itself: what was read before the loss is remembered by every cache.
        if (await reader.hasState(runId)) continue;
        // Named and not created yet: its creation is under way, or was refused.
        if ((await objectStore.head(specObjectName(runId), signal)) === null) continue;
        const refusal = await recoverRun(deps, runId, signal);
        if (refusal === null) logger.warn({ runId }, 'the round store lost this run; it goes on from the object store');
        else logger.error({ runId, refusal }, 'the round store lost this run, and its objects do not make it again');
      } catch (error) {
        if (signal.aborted) return;
        logger.error({ runId, err: error }, 'a lost run could not be begun anew; it is tried again');
        fault = error;
      }
    }
    if (fault !== null) throw fault;
  };

  /**
   * The object store says which runs there are, the round store which of them it has. Runs that were created since the last list of objects
   * are those that the round store names; once seen, they stay in question until the next list.
   */
  const watch = async (): Promise<void> => {
    for (let failures = 0; !signal.aborted; ) {
      try {
        const specified = new Set(await listSpecified(objectStore, signal));
        const listedAtMs = clock.nowMs();
        do {
          for (const runId of await roundStore.listRuns()) specified.add(runId);
          await recoverLost(specified);
          failures = 0;
          await clock.sleep(RUNS_POLL_MS, signal);
        } while (clock.nowMs() - listedAtMs < SPECIFIED_POLL_MS);
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

/** Runs of which anything is stored: their specification comes first. */
async function listSpecified(objectStore: ObjectStore, signal: AbortSignal): Promise<readonly RunId[]> {
  const runIds: RunId[] = [];
  for await (const folder of objectStore.listFolders(RUNS_PREFIX, signal)) {
    const runId = parseRunId(folder.slice(RUNS_PREFIX.length, -1));
    if (!isRefusal(runId)) runIds.push(runId);
  }
  return runIds;
}
