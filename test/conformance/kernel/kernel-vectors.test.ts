import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import {
  createNativeKernel,
  createPortableKernel,
  type FactorDtype,
  type Kernel,
  type TruncatedSum,
  type TruncateRequest,
} from '@flexlora/kernel';
import { nativeSkipReason } from '@flexlora/kernel/suite';

interface Place {
  readonly offset: number;
  readonly length: number;
}

/** One case of `make_vectors.py`: a request, and the answer that NumPy gives. */
interface Vector {
  readonly name: string;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  readonly completionSeed: number;
  readonly terms: readonly {
    readonly label: string;
    readonly coefficient: number;
    readonly rank: number;
    readonly dtype: FactorDtype;
    readonly b: Place;
    readonly a: Place;
  }[];
  readonly singularValues: readonly number[];
  readonly energyTotal: number;
  readonly v: Place;
  readonly best: readonly { readonly rank: number; readonly w: Place }[];
}

const folder = new URL('./testdata/', import.meta.url);
const vectors: readonly Vector[] = JSON.parse(readFileSync(new URL('kernel-vectors.json', folder), 'utf8'));
const blob = readFileSync(new URL('kernel-vectors.bin', folder));

function bytesAt({ offset, length }: Place): Uint8Array {
  return blob.subarray(offset, offset + length);
}

function numbersAt(place: Place): Float64Array {
  const bytes = bytesAt(place);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.byteLength / 8 }, (_, i) => view.getFloat64(i * 8, true));
}

function requestOf(vector: Vector): TruncateRequest {
  const { name, out, in: cols, rank, completionSeed } = vector;
  const terms = vector.terms.map(({ label, coefficient, rank: termRank, dtype, b, a }) => ({
    label,
    coefficient,
    b: { dtype, rows: out, cols: termRank, bytes: bytesAt(b) },
    a: { dtype, rows: termRank, cols, bytes: bytesAt(a) },
  }));
  return { module: name, out, in: cols, rank, completionSeed, terms };
}

/** Row-major sum of the first `rank` components. */
function prefix({ u, v, singularValues }: TruncatedSum, rank: number, out: number, cols: number): Float64Array {
  const w = new Float64Array(out * cols);
  for (let j = 0; j < rank; j += 1) {
    for (let i = 0; i < out; i += 1) {
      const left = singularValues[j]! * u[j * out + i]!;
      for (let k = 0; k < cols; k += 1) w[i * cols + k]! += left * v[j * cols + k]!;
    }
  }
  return w;
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  return Math.sqrt(Array.from(a, (x, i) => (x - b[i]!) ** 2).reduce((sum, x) => sum + x, 0));
}

async function assertVector(kernel: Kernel, vector: Vector): Promise<void> {
  const answer = await kernel.truncate(requestOf(vector));
  const norm = Math.sqrt(vector.energyTotal);
  assert.ok(distance(answer.singularValues, vector.singularValues) <= 1e-9 * norm, 'singular values');
  assert.ok(Math.abs(answer.energyTotal - vector.energyTotal) <= 1e-9 * vector.energyTotal, 'energy');
  for (const { rank, w } of vector.best) {
    const apart = distance(prefix(answer, rank, vector.out, vector.in), numbersAt(w));
    assert.ok(apart <= 1e-5 * norm, `rank ${rank}: ${apart} from the best approximation, of a sum of norm ${norm}`);
  }
  // Signs and completed rows included: the same rows from every implementation.
  assert.ok(distance(answer.v, numbersAt(vector.v)) <= 1e-6 * Math.sqrt(answer.v.length), 'rows of v');
}

function vectorCases(name: Kernel['name'], createKernel: () => Kernel): void {
  describe(`${name} kernel against NumPy`, () => {
    for (const vector of vectors) test(vector.name, () => assertVector(createKernel(), vector));
  });
}

const skip = nativeSkipReason();
if (skip === null) vectorCases('native', createNativeKernel);
else test('native kernel against NumPy', { skip });
vectorCases('portable', createPortableKernel);
