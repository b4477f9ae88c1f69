import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { KernelError } from './kernel.ts';
import { loadKernel } from './load-kernel.ts';
import { createNativeKernel } from './native-kernel.ts';
import { nativeSkipReason } from './suite/native-skip.ts';

const folder = mkdtempSync(join(tmpdir(), 'flexlora-kernel-'));
after(() => rmSync(folder, { recursive: true }));
const absentFile = join(folder, 'absent.node');

test('the native kernel is loaded without a word', { skip: nativeSkipReason() ?? false }, () => {
  const { kernel, notice } = loadKernel();
  assert.deepEqual([kernel.name, notice], ['native', null]);
});

test('the portable kernel is given without a word to who prefers it', () => {
  const { kernel, notice } = loadKernel({ prefer: 'portable' });
  assert.deepEqual([kernel.name, notice], ['portable', null]);
});

test('without an addon the portable kernel stands in and says why and what to do', async () => {
  const { kernel, notice } = loadKernel({ addonFile: absentFile });
  assert.match(notice ?? '', /^The portable kernel is used.* not built: install Rust and run npm run build:kernel\.$/);
  const answer = await kernel.truncate({ module: 'm', out: 2, in: 3, rank: 1, terms: [], completionSeed: 1 });
  assert.equal(answer.rank, 1);
});

test('an addon that cannot be loaded is a reason, not a crash', () => {
  const broken = join(folder, 'broken.node');
  writeFileSync(broken, 'not a library');
  const { kernel, notice } = loadKernel({ addonFile: broken });
  assert.equal(kernel.name, 'portable');
  assert.match(notice ?? '', /cannot be loaded \(.+\): install Rust/);
});

test('whichever kernel is loaded has the memory that was allowed', { skip: nativeSkipReason() ?? false }, () => {
  const memoryBytes = 1 << 20;
  const request = { module: 'm', out: 3000, in: 3000, rank: 16, rankSum: 200, completionSeed: 1 };
  const isRefused = (error: unknown) => error instanceof KernelError && /allowed are 1048576:/.test(error.message);
  for (const options of [{}, { prefer: 'portable' }, { addonFile: absentFile }] as const) {
    const { kernel } = loadKernel({ ...options, memoryBytes });
    assert.throws(() => kernel.beginSum(request), isRefused, kernel.name);
    assert.throws(
      () => loadKernel({ ...options, memoryBytes: 0.5 }),
      /^RangeError: memoryBytes is 0.5; allowed: a whole/,
    );
  }
});

test('who insists on an absent native kernel is told what to do', () => {
  const isTold = (error: unknown) =>
    error instanceof KernelError && /not built.*npm run build:kernel/.test(error.message);
  assert.throws(() => createNativeKernel({ addonFile: absentFile }), isTold);
});
