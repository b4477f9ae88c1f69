import {
  completeRunSpec,
  isRefusal,
  type LedgerUpdate,
  lastRound,
  type PublishedRound,
  type Refusal,
  type RoundEvent,
  type RoundLedger,
  type RoundState,
  type RunId,
  type RunSpec,
  refuse,
  type StoredRunSpec,
  specObjectName,
  validateRunSpec,
} from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import type { ObjectStore, RoundStore } from '@flexlora/stores';
import { DamagedDocument, parseDocument } from '../documents/parse-document.ts';
import { readLedger, readPublished } from '../documents/published-rounds.ts';
import { readStanding } from '../documents/run-standing.ts';
import { readRoundFacts } from '../documents/update-facts.ts';
import { readUpdatesOwed } from '../documents/updates-owed.ts';
import { eventIdOf } from '../event-id.ts';
import type { EventDoor } from '../offer-event.ts';

export interface RecoverRunDeps {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly door: EventDoor;
  readonly clock: Clock;
}

/** What a state that is behind knows of its rounds. */
type KnownRounds = Pick<RoundState, 'published'>;

/**
 * Offers a run what the object store knows of it: to begin anew where the round store lost it, or to take over where its state, `behind`,
 * is older than that. Several replicas may do so at once; the machine takes what it lacks.
 */
export async function recoverRun(
  deps: RecoverRunDeps,
  runId: RunId,
  signal: AbortSignal,
  behind: KnownRounds | null = null,
): Promise<Refusal | null> {
  try {
    const event = await readRecovery(deps, runId, behind, signal);
    if (isRefusal(event)) return event;
    const digests = [...event.admitted, ...event.carried].map(({ digest }) => digest);
    const standing = event.standing?.sequence ?? 0;
    const from = behind?.published.size ?? 'anew';
    const parts = [event.published.length, event.openRound, standing, from, ...digests];
    await deps.roundStore.createRun(runId);
    const reply = await deps.door.offer(runId, eventIdOf('runRecovered', runId, ...parts), event, signal);
    return isRefusal(reply) ? reply : null;
  } catch (error) {
    if (error instanceof DamagedDocument) return refuse('badFile', error.message);
    throw error;
  }
}

export type RunRecovered = Extract<RoundEvent, { kind: 'runRecovered' }>;

/** @throws {DamagedDocument} for a document that people must restore. */
export async function readRecovery(
  { objectStore, clock }: Pick<RecoverRunDeps, 'objectStore' | 'clock'>,
  runId: RunId,
  behind: KnownRounds | null,
  signal: AbortSignal,
): Promise<RunRecovered | Refusal> {
  const spec = await readSpec(objectStore, runId, signal);
  if (isRefusal(spec)) return spec;
  const atMs = clock.nowMs();
  const standing = await readStanding(objectStore, runId, signal);
  const published = [...(behind?.published.values() ?? [])];
  const ledgers: RoundLedger[] = [];
  for await (const { summary, ledger } of readPublished(objectStore, spec, published.length, atMs, signal)) {
    published.push(summary);
    // A run that is begun anew asks for none, and has as many as it has rounds.
    if (behind !== null && ledger !== null) ledgers.push(ledger);
  }
  const open = await readOpenRound(objectStore, spec, published, signal);
  return { kind: 'runRecovered', atMs, spec, published, ...open, standing, ledgers };
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
  readonly carried: readonly LedgerUpdate[];
  readonly openRound: 'collecting' | 'closed';
}

/** A round with a ledger is made of that; one without takes what is owed to it. Round 0 takes nothing. */
async function readOpenRound(
  objectStore: ObjectStore,
  spec: RunSpec,
  summaries: readonly PublishedRound[],
  signal: AbortSignal,
): Promise<OpenRound> {
  const open = summaries.length;
  const published = new Map(summaries.map((summary) => [summary.round, summary]));
  if (open === 0 || open > lastRound({ spec, published }))
    return { admitted: [], carried: [], openRound: 'collecting' };
  const ledger = await readLedger(objectStore, spec.runId, open, signal);
  if (ledger !== null) {
    const listed = new Set(ledger.updates.map(({ agentId }) => agentId));
    const late = spec.cohort.late === 'carry' && open < lastRound({ spec, published });
    const round = { runId: spec.runId, round: open };
    const carried = late ? await readRoundFacts(objectStore, round, signal, (agentId) => listed.has(agentId)) : [];
    return { admitted: ledger.updates, carried, openRound: 'closed' };
  }
  return { admitted: await readUpdatesOwed(objectStore, spec, open, signal), carried: [], openRound: 'collecting' };
}
