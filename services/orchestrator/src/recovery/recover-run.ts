import {
  completeRunSpec,
  isRefusal,
  type LedgerUpdate,
  ledgerObjectName,
  type Refusal,
  type RoundEvent,
  type RunId,
  type RunSpec,
  refuse,
  type StoredRunSpec,
  specObjectName,
  validateRunSpec,
} from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { eventIdOf } from '../event-id.ts';
import type { EventDoor } from '../offer-event.ts';
import { DamagedDocument, parseDocument } from './parse-document.ts';
import { readLedger, readPublished } from './published-from-objects.ts';
import { readUpdateFacts } from './update-facts.ts';

export interface RecoverRunDeps {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly door: EventDoor;
  readonly clock: Clock;
}

/** Begins a run anew from what the object store knows of it. Several replicas may do so: the machine takes the first and no other. */
export async function recoverRun(deps: RecoverRunDeps, runId: RunId, signal: AbortSignal): Promise<Refusal | null> {
  try {
    return await recoverFromObjects(deps, runId, signal);
  } catch (error) {
    if (error instanceof DamagedDocument) return refuse('badFile', error.message);
    throw error;
  }
}

async function recoverFromObjects(deps: RecoverRunDeps, runId: RunId, signal: AbortSignal): Promise<Refusal | null> {
  const { objectStore, clock } = deps;
  const spec = await readSpec(objectStore, runId, signal);
  if (isRefusal(spec)) return spec;
  const atMs = clock.nowMs();
  const published = await readPublished(objectStore, spec, atMs, signal);
  const open = await readOpenRound(objectStore, spec, published.length, signal);
  const event: RoundEvent = { kind: 'runRecovered', atMs, spec, published, ...open };
  const digests = open.admitted.map(({ digest }) => digest);
  const eventId = eventIdOf('runRecovered', runId, published.length, open.openRound, ...digests);
  await deps.roundStore.createRun(runId);
  const reply = await deps.door.offer(runId, eventId, event, signal);
  return isRefusal(reply) ? reply : null;
}

async function readSpec(objectStore: ObjectStore, runId: RunId, signal: AbortSignal): Promise<RunSpec | Refusal> {
  const bytes = await objectStore.get(specObjectName(runId), undefined, signal);
  if (bytes === null)
    return refuse(
      'unknownRun',
      `${specObjectName(runId)} is gone: restore it from a backup, or create the run again under another id`,
    );
  const spec = completeRunSpec(parseDocument<StoredRunSpec>(specObjectName(runId), bytes));
  if (spec.runId !== runId)
    return refuse(
      'badSpec',
      `${specObjectName(runId)} is of run ${spec.runId}; allowed: of run ${runId}: restore it from a backup`,
    );
  return validateRunSpec(spec) ?? spec;
}

interface OpenRound {
  readonly admitted: readonly LedgerUpdate[];
  readonly openRound: 'collecting' | 'closed';
}

/** A round with a ledger is made of that; one without takes what was verified for it. Round 0 takes nothing. */
async function readOpenRound(
  objectStore: ObjectStore,
  spec: RunSpec,
  round: number,
  signal: AbortSignal,
): Promise<OpenRound> {
  if (round === 0 || round > spec.rounds) return { admitted: [], openRound: 'collecting' };
  const ledger = await readLedger(objectStore, ledgerObjectName(spec.runId, round), signal);
  if (ledger !== null) return { admitted: ledger.updates, openRound: 'closed' };
  return { admitted: await readUpdateFacts(objectStore, spec.runId, round, signal), openRound: 'collecting' };
}
