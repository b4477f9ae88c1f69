import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileKernels } from '../../scripts/build-kernels.ts';
import { createSeededRandom } from '../data/seeded-random.ts';
import { createHeap } from './heap.ts';
import { loadKernels } from './kernels.ts';

const { kernels, memory } = loadKernels();
const heap = createHeap(memory);

function randomFloats(count: number, seed: number): { readonly at: number; readonly values: Float32Array } {
  const random = createSeededRandom(seed);
  const at = heap.allocate(count);
  const values = heap.floats(at, count);
  for (let i = 0; i < count; i++) values[i] = random.normal();
  return { at, values: values.slice() };
}

test('kernels.wasm is what its source compiles to', async () => {
  const committed = readFileSync(new URL('../../kernels/kernels.wasm', import.meta.url));
  const fresh = await compileKernels();
  assert.ok(committed.equals(fresh), 'kernels.wasm is stale: npm run build:kernels -w @flexlora/embedded-trainer');
});

test('matmul is the sum of products, dense or in a slice, set or added', () => {
  const side = (step: number, max: number) => fc.integer({ min: 1, max }).map((n) => n * step);
  const shapes = fc.record({ m: side(4, 8), n: side(8, 5), k: side(4, 12), spare: side(4, 3), seed: fc.nat() });
  fc.assert(
    fc.property(shapes, fc.constantFrom(0 as const, 1 as const), ({ m, n, k, spare, seed }, accumulate) => {
      const mark = heap.mark();
      const [lda, ldb, ldc] = [k + spare, n + spare, n + 2 * spare];
      const a = randomFloats(m * lda, seed);
      const b = randomFloats(k * ldb, seed + 1);
      const c = randomFloats(m * ldc, seed + 2);
      kernels.matmul(c.at, a.at, b.at, m, n, k, lda, ldb, ldc, accumulate, heap.allocate(k * 8));
      const got = heap.floats(c.at, m * ldc);
      for (let i = 0; i < m; i++) {
        for (let j = 0; j < ldc; j++) {
          const before = c.values[i * ldc + j]!;
          let expected = accumulate === 1 || j >= n ? before : 0;
          for (let q = 0; q < k && j < n; q++) expected += a.values[i * lda + q]! * b.values[q * ldb + j]!;
          assert.ok(Math.abs(got[i * ldc + j]! - expected) < 1e-5 * (1 + k), `row ${i}, column ${j}`);
        }
      }
      heap.release(mark);
    }),
    { numRuns: 60 },
  );
});

test('transpose takes a slice of rows', () => {
  const [rows, cols, ld] = [12, 8, 20];
  const from = randomFloats(rows * ld, 3);
  const to = heap.allocate(rows * cols);
  kernels.transpose(to, from.at, rows, cols, ld);
  const got = heap.floats(to, rows * cols);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) assert.equal(got[j * rows + i], from.values[i * ld + j]);
});

test('cross entropy agrees with double precision, also where logits are far apart', () => {
  for (const spread of [0.1, 3, 40]) {
    const [rows, cols] = [4, 16];
    const logits = randomFloats(rows * cols, 5);
    const values = logits.values.map((value) => value * spread);
    heap.floats(logits.at, rows * cols).set(values);
    const targets = heap.allocate(rows);
    heap.integers(targets, rows).set([0, 15, -1, 7]);
    const [margins, sums] = [heap.allocate(rows), heap.allocate(rows)];
    kernels.crossEntropy(logits.at, targets, margins, sums, rows, cols, 0.5);
    for (const [row, target] of [0, 15, -1, 7].entries()) {
      const own = values.subarray(row * cols, (row + 1) * cols);
      const total = own.reduce((sum, value) => sum + Math.exp(value - own[0]!), 0);
      if (target >= 0) {
        const expected = Math.log(total) + own[0]! - own[target]!;
        const loss = heap.floats(margins, rows)[row]! + Math.log(heap.floats(sums, rows)[row]!);
        assert.ok(Math.abs(loss - expected) < 1e-5 * (1 + spread), `loss ${loss}, expected ${expected}`);
      }
      own.forEach((value, j) => {
        const expected = target < 0 ? 0 : 0.5 * (Math.exp(value - own[0]!) / total - (j === target ? 1 : 0));
        assert.ok(Math.abs(heap.floats(logits.at, rows * cols)[row * cols + j]! - expected) < 1e-6);
      });
    }
  }
});

test('NaN passes through softmax and the activation, so that a diverged model cannot look well', () => {
  const scores = heap.allocate(16);
  heap.floats(scores, 16).fill(1)[4] = Number.NaN;
  kernels.causalSoftmax(scores, 4, 1);
  const rows = heap.floats(scores, 16);
  assert.deepEqual([...rows.subarray(0, 4)], [1, 0, 0, 0]);
  assert.ok(Number.isNaN(rows[4]) && Number.isNaN(rows[5]));
  const gate = heap.allocate(4);
  heap.floats(gate, 4).set([Number.NaN, 0, 1, -200]);
  const up = heap.allocate(4);
  heap.floats(up, 4).fill(1);
  kernels.swiGlu(gate, gate, up, 4);
  const [nan, zero, one, far] = heap.floats(gate, 4);
  assert.ok(Number.isNaN(nan));
  assert.equal(zero, 0);
  assert.ok(Math.abs(one! - 1 / (1 + Math.exp(-1))) < 1e-6);
  assert.ok(Math.abs(far!) < 1e-30);
});
