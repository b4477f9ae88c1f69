import { createHash } from 'node:crypto';
import type { AdapterManifest, LedgerUpdate, RoundLedger } from '@flexlora/core';
import type { ObjectStore } from '@flexlora/stores';
import type { Findings } from './findings.ts';

/**
 * The object store, watched: what is written once stays as it is, what is named by a ledger, by a manifest or by the facts of an open round is
 * there for as long as it is named, and a task of the same updates has the same bytes whoever does it.
 */
export interface ObjectWatch {
  readonly store: ObjectStore;
  /** Of published rounds, by number. */
  readonly manifests: ReadonlyMap<number, AdapterManifest>;
  /** The facts of verified updates of a round, by agent. */
  factsOf(round: number, agentId: string): LedgerUpdate | null;
  has(objectName: string): boolean;
}

const ROUND_OBJECT = /^runs\/[^/]+\/rounds\/(\d{6})\/(.+)$/;
const ADAPTER_OBJECT = /^adapter\/(.+?-\d+)-([0-9a-f]{8})-[^/]+\.bin$/;

export function createObjectWatch(inner: ObjectStore, findings: Findings): ObjectWatch {
  const digests = new Map<string, string>();
  const manifests = new Map<number, AdapterManifest>();
  const ledgers = new Map<number, RoundLedger>();
  const facts = new Map<string, LedgerUpdate>();
  /** By round, task and ledger. */
  const adapters = new Map<string, string>();
  /** Object → what names it. */
  const named = new Map<string, string>();

  const factsKey = (round: number, agentId: string): string => `${round} ${agentId}`;

  const mustBeThere = (objectName: string, by: string): void => {
    named.set(objectName, by);
    if (!digests.has(objectName)) findings.broken(`${by} names ${objectName}, which is not there`);
  };

  const learn = (round: number, name: string, objectName: string, bytes: Uint8Array): void => {
    const adapter = ADAPTER_OBJECT.exec(name);
    if (adapter !== null) compareAttempt(round, adapter, objectName, digests.get(objectName)!);
    if (!name.endsWith('.json')) return;
    const text = Buffer.from(bytes).toString('utf8');
    if (name === 'ledger.json') {
      const ledger = JSON.parse(text) as RoundLedger;
      ledgers.set(round, ledger);
      for (const update of ledger.updates) mustBeThere(update.objectName, objectName);
      checkEachOnce(objectName, ledger.updates);
    } else if (name === 'manifest.json') {
      const manifest = JSON.parse(text) as AdapterManifest;
      manifests.set(round, manifest);
      if (manifest.ledger !== null) mustBeThere(manifest.ledger.objectName, objectName);
      for (const object of manifest.objects) mustBeThere(object.objectName, objectName);
      checkAgainstLedger(objectName, manifest, ledgers.get(round));
    } else if (name.startsWith('updates/')) {
      const fact = JSON.parse(text) as LedgerUpdate;
      facts.set(factsKey(round, fact.agentId), fact);
      // Facts that come too late for their round may find its updates swept: nobody goes by facts without an update.
      if (!digests.has(fact.objectName) && !manifests.has(round))
        findings.broken(`${objectName} is of ${fact.objectName}, which is not there`);
    }
  };

  const compareAttempt = (round: number, match: RegExpExecArray, objectName: string, digest: string): void => {
    const key = `${round} ${match[1]} ${match[2]}`;
    const other = adapters.get(key);
    if (other !== undefined && other !== digest)
      findings.broken(`${objectName} differs from another attempt at the same task with the same updates`);
    adapters.set(key, digest);
  };

  const checkEachOnce = (objectName: string, updates: readonly { readonly agentId: string }[]): void => {
    if (new Set(updates.map(({ agentId }) => agentId)).size !== updates.length)
      findings.broken(`${objectName} counts an agent twice`);
  };

  const checkAgainstLedger = (objectName: string, manifest: AdapterManifest, ledger: RoundLedger | undefined): void => {
    const listOf = (updates: readonly { readonly agentId: string; readonly digest: string }[]): string =>
      updates.map(({ agentId, digest }) => `${agentId} ${digest}`).join();
    if (ledger !== undefined && listOf(ledger.updates) !== listOf(manifest.updates))
      findings.broken(`${objectName} lists other updates than its ledger`);
  };

  const wrote = (objectName: string, bytes: Uint8Array): void => {
    const digest = createHash('sha256').update(bytes).digest('hex');
    const before = digests.get(objectName);
    digests.set(objectName, digest);
    const match = ROUND_OBJECT.exec(objectName);
    if (before !== undefined && before !== digest) findings.broken(`${objectName} was written over with other bytes`);
    if (match !== null && before === undefined) learn(Number(match[1]), match[2]!, objectName, bytes);
  };

  const deleted = (objectName: string): void => {
    if (!digests.delete(objectName)) return;
    const by = named.get(objectName);
    if (by !== undefined) findings.broken(`${objectName} was deleted; ${by} names it`);
    const [, digits = '', name = ''] = ROUND_OBJECT.exec(objectName) ?? [];
    const round = Number(digits);
    if (name === '' || name === 'ledger.json' || name === 'manifest.json') findings.broken(`${objectName} was deleted`);
    if (manifests.has(round)) return;
    for (const fact of facts.values())
      if (fact.objectName === objectName)
        findings.broken(`${objectName} was deleted; its facts stand in an open round`);
    if (name.startsWith('updates/') && name.endsWith('.json'))
      findings.broken(`${objectName} was deleted in an open round`);
  };

  const store: ObjectStore = {
    ...inner,
    put: async (name, bytes) => {
      await inner.put(name, bytes);
      wrote(name, bytes);
    },
    putIfAbsent: async (name, bytes) => {
      const result = await inner.putIfAbsent(name, bytes);
      if (result === 'written') wrote(name, bytes);
      return result;
    },
    completeUpload: async (name, token) => {
      const isComplete = await inner.completeUpload(name, token);
      if (isComplete) wrote(name, (await inner.get(name))!);
      return isComplete;
    },
    completeWritten: async (name, token, tags) => {
      const isComplete = await inner.completeWritten(name, token, tags);
      if (isComplete) wrote(name, (await inner.get(name))!);
      return isComplete;
    },
    delete: async (name) => {
      await inner.delete(name);
      deleted(name);
    },
  };
  return {
    store,
    manifests,
    factsOf: (round, agentId) => facts.get(factsKey(round, agentId)) ?? null,
    has: (objectName) => digests.has(objectName),
  };
}
