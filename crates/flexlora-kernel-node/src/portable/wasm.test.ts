import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileWasm } from '../../wasm/scripts/build-wasm.ts';
import { KernelError } from '../kernel.ts';
import { createDraw } from '../suite/samples.ts';
import { createFactorReader } from './factor.ts';
import { createHeap, leadingOf } from './heap.ts';
import { addTimes, addTimesTransposed, type HeapMatrix, wholeTiles } from './products.ts';
import { loadWasm } from './wasm.ts';

const heap = createHeap();

interface Sample extends HeapMatrix {
  readonly value: (i: number, j: number) => number;
}

/** Values of [-1, 1) in rows of zeros, as the functions ask for. */
function sample(rows: number, cols: number, seed: number, fill = createDraw(seed)): Sample {
  const ld = leadingOf(cols);
  const at = heap.allocateFloats(wholeTiles(rows) * ld);
  const view = heap.floats(at, rows * ld);
  for (let i = 0; i < rows; i += 1) for (let j = 0; j < cols; j += 1) view[i * ld + j] = fill();
  const values = view.slice();
  return { at, rows, cols, ld, value: (i, j) => values[i * ld + j]! };
}

const shapes = fc.record({
  rows: fc.integer({ min: 1, max: 60 }),
  cols: fc.integer({ min: 1, max: 150 }),
  k: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 250, max: 530 })),
  seed: fc.nat(),
});

test('kernels.wasm is what its source compiles to', async () => {
  const committed = readFileSync(new URL('../../wasm/kernels.wasm', import.meta.url));
  assert.ok(committed.equals(await compileWasm()), 'kernels.wasm is stale: npm run build:wasm -w @flexlora/kernel');
});

test('a Node without the functions is told what to do', () => {
  const isTold = (error: unknown) =>
    error instanceof KernelError && /relaxed SIMD.*use Node 22 or later/.test(error.message);
  assert.throws(() => loadWasm(new URL(import.meta.url)), isTold);
});

test('products are the sums of products, added to what was there, and leave what is beside alone', () => {
  const assertProduct = (
    { rows, cols, k, seed }: { rows: number; cols: number; k: number; seed: number },
    add: (to: HeapMatrix, left: HeapMatrix) => void,
    right: (q: number, j: number) => number,
  ): void => {
    const left = sample(rows, k, seed);
    const to = sample(rows, cols, seed + 3);
    const beside = heap.allocateFloats(8);
    add(to, left);
    const got = heap.floats(to.at, rows * to.ld);
    for (let i = 0; i < rows; i += 1) {
      for (let j = 0; j < cols; j += 1) {
        let want = to.value(i, j);
        for (let q = 0; q < k; q += 1) want += left.value(i, q) * right(q, j);
        assert.ok(Math.abs(got[i * to.ld + j]! - want) < 4e-6 * Math.sqrt(k), `row ${i}, column ${j}`);
      }
      assert.ok(
        got.subarray(i * to.ld + cols, (i + 1) * to.ld).every((x) => x === 0),
        `behind row ${i}`,
      );
    }
    assert.deepEqual(heap.floats(beside, 8), new Float32Array(8));
  };
  const anyShape = fc.property(shapes, (shape) =>
    heap.scoped(() => {
      const right = sample(shape.k, shape.cols, shape.seed + 1);
      assertProduct(shape, (to, left) => addTimes(heap, to, left, right), right.value);
      const transposed = sample(shape.cols, shape.k, shape.seed + 2);
      const value = (q: number, j: number) => transposed.value(j, q);
      assertProduct(shape, (to, left) => addTimesTransposed(heap, to, left, transposed), value);
    }),
  );
  fc.assert(anyShape, { numRuns: 25 });
});

test('Gram matrices and sums of squares are taken in float64', () => {
  const [a, b] = [sample(8, 1001, 1), sample(6, 1001, 2)];
  const to = heap.allocateDoubles(8 * 10);
  heap.gram(to, 10, a.at, b.at, 8, 6, 1002, a.ld);
  const got = heap.doubles(to, 80);
  let squares = 0;
  for (let i = 0; i < 8; i += 1) {
    for (let j = 0; j < 6; j += 1) {
      let want = 0;
      for (let q = 0; q < 1001; q += 1) want += a.value(i, q) * b.value(j, q);
      assert.ok(Math.abs(got[i * 10 + j]! - want) < 1e-13, `${i}, ${j}`);
    }
    for (let q = 0; q < 1001; q += 1) squares += a.value(i, q) ** 2;
  }
  assert.ok(Math.abs(heap.sumOfSquares(a.at, 8 * a.ld) - squares) < 1e-9);
});

test('every half and every bfloat16 is widened to the value that its definition gives', () => {
  const finite = (mask: number) =>
    Array.from({ length: 65_536 }, (_, bits) => bits).filter((bits) => (bits & mask) !== mask);
  for (const [dtype, mask, widen] of [
    ['F16', 0x7c00, heap.widenHalf] as const,
    ['BF16', 0x7f80, heap.widenBf16] as const,
  ]) {
    for (const patterns of [finite(mask), finite(mask).slice(-7)]) {
      heap.scoped(() => {
        const bytes = new Uint8Array(Uint16Array.from(patterns).buffer);
        const read = createFactorReader({ dtype, rows: 1, cols: patterns.length, bytes });
        const from = heap.allocateFloats(patterns.length);
        const to = heap.allocateFloats(patterns.length);
        heap.bytes(from, bytes.length).set(bytes);
        widen(to, from, patterns.length);
        assert.deepEqual(
          heap.floats(to, patterns.length),
          Float32Array.from(patterns, (_, i) => read(i)),
        );
      });
    }
  }
});

test('a slice is placed with a factor beyond float32, rounded once', () => {
  const draw = createDraw(3);
  const from = sample(5, 9, 0, () => draw() * 1e-40);
  const to = sample(5, 20, 4);
  heap.place(to.at + 8, to.ld, from.at + 4, from.ld, 5, 7, 1e41);
  const got = heap.floats(to.at, 5 * to.ld);
  for (let i = 0; i < 5; i += 1) {
    for (let j = 0; j < 20; j += 1) {
      const want = j >= 2 && j < 9 ? Math.fround(1e41 * from.value(i, j - 1)) : to.value(i, j);
      assert.equal(got[i * to.ld + j], want);
    }
  }
});

test('probe products are those of plain loops', () => {
  const [b, g] = [sample(7, 5, 6), heap.allocateDoubles(5 * 8)];
  const draw = createDraw(9);
  const values = Float64Array.from({ length: 40 }, draw);
  heap.doubles(g, 40).set(values);
  const [image, product] = [heap.allocateDoubles(7 * 8), heap.allocateDoubles(8)];
  heap.probeRows(image, b.at, g, 7, 5, b.ld);
  const once = heap.doubles(image, 56).slice();
  const dense = heap.allocateFloats(35);
  heap.floats(dense, 35).set(Float32Array.from({ length: 35 }, (_, at) => b.value(Math.floor(at / 5), at % 5)));
  heap.probeImage(image, dense, g, 7, 5, -3, product);
  for (let i = 0; i < 7; i += 1) {
    for (let p = 0; p < 8; p += 1) {
      let want = 0;
      for (let k = 0; k < 5; k += 1) want += b.value(i, k) * values[k * 8 + p]!;
      assert.ok(Math.abs(once[i * 8 + p]! - want) < 1e-14);
      assert.ok(Math.abs(heap.doubles(image, 56)[i * 8 + p]! - want * -2) < 1e-14);
    }
  }
});

test('rows are made orthogonal to others in float64', () => {
  const [length, ld] = [10, 16];
  const at = heap.allocateDoubles(3 * ld);
  const from = sample(1, length, 8);
  const rows = heap.doubles(at, 3 * ld);
  rows[0] = 1;
  rows[ld + 1] = 1;
  heap.widen(at + 2 * ld * 8, from.at, length);
  const left = heap.orthogonalize(at + 2 * ld * 8, at, 2, length, ld);
  const want = Float64Array.from({ length }, (_, j) => (j < 2 ? 0 : from.value(0, j)));
  assert.deepEqual(rows.slice(2 * ld, 2 * ld + length), want);
  assert.ok(Math.abs(left - want.reduce((sum, x) => sum + x * x, 0)) < 1e-14);
});
