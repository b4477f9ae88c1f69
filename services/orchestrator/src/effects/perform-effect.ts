import {
  acceptedUpdates,
  documentOf,
  type RoundEffect,
  type RoundEffectOutcome,
  type RoundState,
} from '@flexlora/core';
import type { Logger } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { parseDocument } from '../documents/parse-document.ts';
import { storeSpec } from '../documents/run-spec.ts';
import { sha256Of } from '../documents/sha256.ts';
import { readUpdatesOwed } from '../documents/updates-owed.ts';
import { writeOnce } from '../documents/write-once.ts';
import { publishManifest } from './publish-manifest.ts';
import { republish } from './republish.ts';
import { otherSpec } from './state-is-behind.ts';
import { sweepRound } from './sweep-round.ts';

/**
 * Performs what `step` decided. Every effect is idempotent and its content follows from the state in which it is pending, so that it may
 * be performed again by anyone. What the object store holds already is never written over: where it is another's, the outcome says so.
 *
 * @throws {StateIsBehind} when the object store holds what only a later state can have written.
 */
export async function performEffect(
  objectStore: ObjectStore,
  state: RoundState,
  effect: RoundEffect,
  signal: AbortSignal,
  logger: Logger,
): Promise<RoundEffectOutcome> {
  switch (effect.kind) {
    case 'writeSpec':
      if (await storeSpec(objectStore, state.spec, signal)) return { kind: 'specWritten' };
      throw otherSpec(state.spec.runId);
    case 'reconcileUpdates':
      return { kind: 'updatesReconciled', found: await findUpdates(objectStore, state, effect.round, signal) };
    case 'writeLedger': {
      const { objectName, text } = documentOf(state, effect, sha256Of);
      const written = await writeOnce(objectStore, objectName, text, signal);
      if (written.kind === 'stands') return { kind: 'ledgerWritten', ledger: written.document };
      const { updates } = parseDocument<{ readonly updates: LedgerFound['updates'] }>(objectName, written.bytes);
      return { kind: 'ledgerFound', ledger: written.document, updates };
    }
    case 'publishManifest':
      return { kind: 'manifestPublished', ...(await publishManifest(objectStore, state, effect, signal)) };
    case 'publishRollback': {
      const { published } = await republish(objectStore, state, effect, signal);
      return { kind: 'manifestPublished', ...published };
    }
    case 'publishFork': {
      const { published, proof } = await republish(objectStore, state, effect, signal);
      return { kind: 'forkPublished', ...published, ...proof };
    }
    case 'sweepRound':
      await sweepRound(objectStore, state, effect.round, signal, logger);
      return { kind: 'roundSwept' };
    case 'writeStanding': {
      const { objectName, text } = documentOf(state, effect, sha256Of);
      const written = await writeOnce(objectStore, objectName, text, signal);
      if (written.kind === 'stands') return { kind: 'standingWritten' };
      return { kind: 'standingFound', standing: parseDocument(objectName, written.bytes) };
    }
  }
}

type LedgerFound = Extract<RoundEffectOutcome, { kind: 'ledgerFound' }>;

async function findUpdates(objectStore: ObjectStore, state: RoundState, round: number, signal: AbortSignal) {
  const accepted = new Set(acceptedUpdates(state).map(({ agentId }) => agentId));
  return readUpdatesOwed(objectStore, state.spec, round, signal, (agentId) => accepted.has(agentId));
}
