import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditUpdates } from './audit-updates.ts';
import { adapterDigestOf, type PublishedManifest } from './published-rounds.ts';

const digest = (agentId: string, round: number): string => `digest of ${agentId} in ${round}`;
const manifest = (round: number, ...agents: readonly string[]): PublishedManifest => ({
  round,
  adapterDigest: '',
  updates: agents.map((agentId) => ({ agentId, digest: digest(agentId, round) })),
});
const told = (agentId: string, round: number) => ({ agentId, round });
const receipt = (agentId: string, round: number, of = digest(agentId, round)) => ({ agentId, round, digest: of });
const made = (agentId: string, round: number): ReadonlySet<string> => new Set([digest(agentId, round)]);
const kinds = (miscounts: ReturnType<typeof auditUpdates>) =>
  miscounts.map(({ what, round, agentId }) => [what, round, agentId]);

test('what was told is what was published, also when it was told twice', () => {
  const published = [manifest(0), manifest(1, 'a', 'b'), manifest(2, 'a')];
  assert.deepEqual(auditUpdates([told('a', 1), told('a', 1), told('b', 1), told('a', 2)], published, made), []);
});

test('an update that was published without having been told is not lost', () => {
  assert.deepEqual(auditUpdates([], [manifest(0), manifest(1, 'a')], made), []);
});

test('an acknowledged update that no manifest of its round names is lost', () => {
  const published = [manifest(0), manifest(1, 'a'), manifest(2, 'a', 'b')];
  assert.deepEqual(kinds(auditUpdates([told('b', 1), told('a', 3)], published, made)), [
    ['lost', 1, 'b'],
    ['lost', 3, 'a'],
  ]);
});

test('a receipt tells the digest that stands in the manifest', () => {
  const published = [manifest(0), manifest(1, 'a')];
  assert.deepEqual(auditUpdates([told('a', 1), receipt('a', 1)], published, made), []);
  assert.deepEqual(kinds(auditUpdates([receipt('a', 1, 'another')], published, made)), [['lost', 1, 'a']]);
  assert.deepEqual(kinds(auditUpdates([receipt('b', 1), told('b', 1)], published, made)).length, 2);
});

test('an agent that stands twice in a manifest, and an update that stands in two, are counted twice', () => {
  assert.deepEqual(kinds(auditUpdates([], [manifest(1, 'a', 'a')], made)), [
    ['countedTwice', 1, 'a'],
    ['countedTwice', 1, 'a'],
  ]);
  const again = { ...manifest(2, 'a'), updates: manifest(1, 'a').updates };
  const madeFor = () => made('a', 1);
  assert.deepEqual(kinds(auditUpdates([], [manifest(1, 'a'), again], madeFor)), [['countedTwice', 2, 'a']]);
});

test('an update that no trainer made is not the one that was sent', () => {
  assert.deepEqual(kinds(auditUpdates([], [manifest(1, 'a')], () => new Set(['another']))), [['lost', 1, 'a']]);
});

test('the digest of an adapter follows from its objects, not from their names, and a manifest that tells another is a fault', () => {
  const object = { taskId: 't', objectName: 'x-1.bin', bytes: 3, digest: 'd' };
  const of = (...objects: readonly object[]) => adapterDigestOf({ round: 1, objects } as never);
  assert.equal(of(object), of({ ...object, objectName: 'x-2.bin' }));
  assert.notEqual(of(object), of({ ...object, digest: 'e' }));
  assert.throws(
    () => adapterDigestOf({ round: 1, objects: [object], adapterDigest: 'f' } as never),
    /says that its adapter is f/,
  );
});
