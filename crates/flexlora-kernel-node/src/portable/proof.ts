import type { Canonical } from './canonical.ts';
import type { CheckedSum } from './checked-sum.ts';
import { addScaled, type Columns, dot, zeroColumns } from './columns.ts';
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

/**
 * The measured residual ‖W G − U Σ Vᵀ G‖_F / ‖W G‖_F, 0 where W is zero: the answer that is handed out against the terms themselves.
 * Nothing of the decomposition enters W G, so a mistake there shows. Overwrites the image.
 */
export function measureResidual(proof: Proof, sum: CheckedSum, answer: Canonical): number {
  if (answer.energyTotal === 0) return 0;
  let [total, left] = [0, 0];
  for (const [p, probe] of proof.probes.entries()) {
    const image = proof.image[p]!;
    total += dot(image, image);
    for (let j = 0; j < sum.rank; j += 1) {
      const v = Float64Array.from(answer.v.subarray(j * sum.in, (j + 1) * sum.in));
      const u = Float64Array.from(answer.u.subarray(j * sum.out, (j + 1) * sum.out));
      addScaled(image, -answer.values[j]! * dot(v, probe), u);
    }
    left += dot(image, image);
  }
  return total > 0 ? Math.sqrt(left / total) : 0;
}

function drawProbes(length: number): Columns {
  return Array.from({ length: PROBES }, (_, probe) => {
    const random = createStream(PROBE_SEED, BigInt(probe));
    return Float64Array.from({ length }, () => random.nextSignedUnit());
  });
}
