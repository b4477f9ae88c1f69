import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EffectId } from '../ids.ts';
import { MESSAGE_CHARS_MAX, TROUBLES_MAX } from '../limits.ts';
import { exampleSpec } from './example-run.ts';
import { persistentMap } from './persistent-map.ts';
import type { RoundState } from './round-state.ts';
import { decodeState, encodeState } from './state-fields.ts';
import { step } from './step.ts';

const created = step(null, { kind: 'runCreated', atMs: 0, spec: exampleSpec }).state!;
const writeSpec = 'write-spec' as EffectId;
const troubled = (state: RoundState, effectId: EffectId, atMs: number, reason = 'full'): RoundState =>
  step(state, { kind: 'effectTroubled', atMs, effectId, reason, attempts: atMs }).state!;

test('the troubles of an effect are known since the first, through the store, until it is done', () => {
  const twice = troubled(troubled(created, writeSpec, 3), writeSpec, 9, 'away');
  const known = [[writeSpec, { sinceMs: 3, reason: 'away', attempts: 9 }]];
  assert.deepEqual([...decodeState(encodeState(twice)).troubles], known);
  const outcome = { kind: 'specWritten' } as const;
  const done = step(twice, { kind: 'effectDone', atMs: 10, effectId: writeSpec, outcome }).state!;
  assert.deepEqual([...done.troubles], []);
  assert.equal(troubled(done, writeSpec, 11), done);
});

test('what is said of troubles is cut, and not of more effects than people read', () => {
  const effects = Array.from({ length: TROUBLES_MAX + 2 }, (_, i) => `effect-${i}` as EffectId);
  const busy: RoundState = {
    ...created,
    effects: persistentMap(effects.map((id) => [id, { kind: 'writeSpec' }] as const)),
  };
  const state = effects.reduce((each, id) => troubled(each, id, 3, 'x'.repeat(MESSAGE_CHARS_MAX + 1)), busy);
  assert.deepEqual([...state.troubles.keys()], effects.slice(0, TROUBLES_MAX));
  assert.ok([...state.troubles.values()].every(({ reason }) => reason.length === MESSAGE_CHARS_MAX));
  // One that is known is told further.
  assert.equal(troubled(state, effects[0]!, 7).troubles.get(effects[0]!)?.attempts, 7);
});

test('a run that is cancelled before its specification is written still has it written, and nothing else of its work', () => {
  const state = step(troubled(created, writeSpec, 3), { kind: 'cancelRequested', atMs: 5, reason: 'enough' }).state!;
  assert.deepEqual([state.effects.has(writeSpec), state.troubles.has(writeSpec)], [true, true]);
  assert.equal(state.effects.has('write-ledger-0' as EffectId), false);
});
