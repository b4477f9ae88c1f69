import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunId } from '@flexlora/core';
import { silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryRoundStore } from '@flexlora/stores';
import { createRunOccasions } from './run-occasions.ts';
import type { RunHeadView, RunReader } from './run-reader.ts';
import { createRunSignals } from './run-signals.ts';

const RUN = 'toy' as RunId;
const settled = { round: 1, phase: { kind: 'settled', sinceMs: 5 }, paused: null } as unknown as RunHeadView;

test('a settled run is told once and then read no more, until somebody asks for it again', async () => {
  const roundStore = createMemoryRoundStore({ now: systemClock.nowMs });
  const signals = await createRunSignals({ roundStore, clock: systemClock });
  const stopping = new AbortController();
  let reads = 0;
  const readHead = async (): Promise<RunHeadView> => {
    reads += 1;
    return settled;
  };
  const reader = { readHead } as unknown as RunReader;
  const occasions = createRunOccasions({
    reader,
    signals,
    clock: systemClock,
    logger: silentLogger,
    stopping: stopping.signal,
  });
  const pulse = occasions.of(RUN);
  await pulse.waitSince(0, 60_000, stopping.signal);
  await new Promise(setImmediate);
  // The same pulse would mean that the loop behind it still follows the run.
  assert.notEqual(occasions.of(RUN), pulse);
  await new Promise(setImmediate);
  assert.equal(reads, 2);
  stopping.abort();
  signals.close();
});
