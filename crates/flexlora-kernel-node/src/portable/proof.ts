import type { KernelTerm } from '../kernel.ts';
import type { Canonical } from './canonical.ts';
import type { CheckedSum } from './checked-sum.ts';
import { addScaled, type Columns, dot, squaredNorm, zeroColumns } from './columns.ts';
import { eachSlab } from './factor-slabs.ts';
import type { Heap } from './heap.ts';
import { createStream } from './random.ts';
import type { Stack } from './stack.ts';

/** Random vectors: the relative sampling error of a squared norm is at most about √(2/8). */
const PROBES = 8;

/** The same for every call, so that a residual can be reproduced. */
const PROBE_SEED = 0x666c65786c6f7261n;

/** G and, as the terms come in, W G. */
export interface Proof {
  /** in × PROBES. */
  readonly probes: Columns;
  /** out × PROBES. */
  readonly image: Columns;
}

export function createProof(out: number, cols: number): Proof {
  return { probes: drawProbes(cols), image: zeroColumns(out, PROBES) };
}

/** `image += B (A G)`. */
export function addToProof({ probes, image }: Proof, { b, aTransposed }: Stack): void {
  for (const [p, probe] of probes.entries()) {
    for (const [k, column] of b.entries()) addScaled(image[p]!, dot(aTransposed[k]!, probe), column);
  }
}

/** The same for `coefficient · B A` with the factors as they came, in WebAssembly. */
export function addFactorsToProof(
  heap: Heap,
  { probes, image }: Proof,
  { b, a }: KernelTerm,
  coefficient: number,
): void {
  heap.scoped(() => {
    const g = heap.allocateDoubles(a.cols * PROBES);
    const along = heap.allocateDoubles(a.rows * PROBES);
    const added = heap.allocateDoubles(b.rows * PROBES);
    const product = heap.allocateDoubles(PROBES);
    const byRow = heap.doubles(g, a.cols * PROBES);
    for (const [p, probe] of probes.entries()) {
      for (let i = 0; i < a.cols; i += 1) byRow[i * PROBES + p] = probe[i]!;
    }
    eachSlab(heap, a, [0, a.rows], (at, first, rows) =>
      heap.probeRows(along + first * PROBES * 8, at, g, rows, a.cols, a.cols),
    );
    eachSlab(heap, b, [0, b.rows], (at, first, rows) =>
      heap.probeImage(added + first * PROBES * 8, at, along, rows, a.rows, coefficient, product),
    );
    const products = heap.doubles(added, b.rows * PROBES);
    for (const [p, column] of image.entries()) {
      for (let i = 0; i < b.rows; i += 1) column[i]! += products[i * PROBES + p]!;
    }
  });
}

/**
 * The measured residual ‖W G − U Σ Vᵀ G‖_F / ‖W G‖_F, 0 where W is zero: the answer that is handed out against the terms themselves.
 * Nothing of the decomposition enters W G, so a mistake there shows. Overwrites the image.
 */
export function measureResidual(proof: Proof, sum: CheckedSum, answer: Canonical): number {
  if (answer.energyTotal === 0) return 0;
  const total = squaredNorm(proof.image);
  for (let j = 0; j < sum.rank && answer.values[j]! > 0; j += 1) {
    const v = new Float64Array(answer.v.subarray(j * sum.in, (j + 1) * sum.in));
    const u = new Float64Array(answer.u.subarray(j * sum.out, (j + 1) * sum.out));
    for (const [p, probe] of proof.probes.entries()) addScaled(proof.image[p]!, -answer.values[j]! * dot(v, probe), u);
  }
  const left = squaredNorm(proof.image);
  return total > 0 ? Math.sqrt(left / total) : 0;
}

function drawProbes(length: number): Columns {
  return Array.from({ length: PROBES }, (_, probe) => {
    const random = createStream(PROBE_SEED, BigInt(probe));
    return Float64Array.from({ length }, () => random.nextSignedUnit());
  });
}
