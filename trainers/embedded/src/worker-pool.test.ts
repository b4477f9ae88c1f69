import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createWorkerPool } from './worker-pool.ts';

const DYING = new URL('./testing/dying-worker.ts', import.meta.url);

test('a thread that dies fails its own job alone; what waits gets a new thread', async () => {
  const pool = createWorkerPool(1, DYING);
  const outcomes = await Promise.allSettled([
    pool.run('probe', null),
    pool.run('train', null),
    pool.run('probe', null),
    pool.run('train', null),
    pool.run('evaluate', null),
  ]);
  assert.deepEqual(
    outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.code)),
    [1, 'internal', 3, 'internal', 5],
  );
  const [, died] = outcomes;
  assert.match((died as PromiseRejectedResult).reason.message, /the training thread ended with 7/);
  await pool.close();
});

test('jobs start in the order in which they came', async () => {
  const pool = createWorkerPool(2, DYING);
  const order: unknown[] = [];
  await Promise.all(Array.from({ length: 20 }, async () => order.push(await pool.run('probe', null))));
  const first = order.slice(0, 10).sort((a, b) => Number(a) - Number(b));
  assert.ok(Math.max(...first.map(Number)) <= 12, `${order}`);
  await pool.close();
});
