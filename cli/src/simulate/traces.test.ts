import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLLECTING_TRACE_MS, RANK_TIERS, TRAINING_STEPS } from './limits.ts';
import { createTraces, type Fate, memoryBytesAt, stepSecondsAt } from './traces.ts';

const AGENTS = 4_000;
const everybody = Array.from({ length: AGENTS }, (_, index) => index);

test('the world follows from the seed alone, whatever is asked first', () => {
  const [one, other, another] = [createTraces(7), createTraces(7), createTraces(8)];
  const last = other.device(99);
  assert.deepEqual(one.device(3), other.device(3));
  assert.deepEqual(one.device(99), last);
  assert.notDeepEqual(one.device(3), another.device(3));
  assert.deepEqual(one.stay(5, 2), other.stay(5, 2));
  assert.notDeepEqual(one.stay(5, 2), one.stay(5, 3));
});

test('every device carries the smallest rank in memory and in time, and few the largest', () => {
  const traces = createTraces(1);
  const [least, most] = [RANK_TIERS[0]!, RANK_TIERS.at(-1)!];
  let large = 0;
  for (const index of everybody) {
    const device = traces.device(index);
    // The server keeps a tenth of the memory and a fifth of the time free.
    assert.ok(memoryBytesAt(least) <= 0.9 * device.memoryBytesMax, `${device.agentId} has no memory`);
    const seconds = TRAINING_STEPS * stepSecondsAt(device, least);
    assert.ok(seconds <= (0.8 * COLLECTING_TRACE_MS) / 1_000, `${device.agentId} takes ${seconds} s`);
    if (memoryBytesAt(most) <= 0.9 * device.memoryBytesMax) large += 1;
  }
  assert.ok(large > 0.15 * AGENTS && large < 0.25 * AGENTS, `${large} of ${AGENTS} carry rank ${most}`);
});

test('devices differ by more than ten times in speed and by a thousand times in their lines', () => {
  const devices = everybody.map((index) => createTraces(1).device(index));
  const spread = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);
  assert.ok(spread(devices.map(({ stepSeconds }) => stepSeconds)) > 10);
  assert.equal(Math.round(spread(devices.map(({ uplinkBytesPerSecond }) => uplinkBytesPerSecond))), 1_000);
});

test('of a thousand assignments as many go wrong in each way as the traces say', () => {
  const traces = createTraces(1);
  const counts = new Map<Fate, number>();
  for (const index of everybody) {
    const fate = traces.fate(index, 1);
    counts.set(fate, (counts.get(fate) ?? 0) + 1);
  }
  const near = (fate: Fate, share: number): void => {
    const got = (counts.get(fate) ?? 0) / AGENTS;
    assert.ok(Math.abs(got - share) < 0.015, `${fate}: ${got}; expected about ${share}`);
  };
  near('vanishes', 0.025);
  near('fails', 0.025);
  near('killed', 0.03);
  near('tooLate', 0.1);
  near('completes', 0.82);
});

test('who is too late takes longer than a round collects', () => {
  const traces = createTraces(1);
  const late = everybody.filter((index) => traces.fate(index, 2) === 'tooLate');
  for (const index of late) assert.ok(traces.trainingSeconds(index, 2, 4) * 1_000 > COLLECTING_TRACE_MS);
});
