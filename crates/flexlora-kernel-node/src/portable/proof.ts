import type { Canonical } from './canonical.ts';
import type { CheckedSum } from './checked-sum.ts';
import { addScaled, dot } from './columns.ts';
import { createStream } from './random.ts';
import { stack } from './stack.ts';

/** Random vectors: the relative sampling error of a squared norm is at most about √(2/8). */
const PROBES = 8;

/** The same for every call, so that a residual can be reproduced. */
const PROBE_SEED = 0x666c65786c6f7261n;

/**
 * The measured residual ‖W G − U Σ Vᵀ G‖_F / ‖W G‖_F, 0 where W is zero: the answer that is handed out against the terms themselves.
 * Nothing of the decomposition enters W G, so a mistake there shows.
 */
export function measureResidual(sum: CheckedSum, answer: Canonical): number {
  if (answer.energyTotal === 0) return 0;
  let [total, left] = [0, 0];
  for (const probe of drawProbes(sum.in)) {
    const image = applyTerms(sum, probe);
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

function drawProbes(length: number): readonly Float64Array[] {
  return Array.from({ length: PROBES }, (_, probe) => {
    const random = createStream(PROBE_SEED, BigInt(probe));
    return Float64Array.from({ length }, () => random.nextSignedUnit());
  });
}

/** `Σ c_k B_k (A_k x)`, one term at a time. */
function applyTerms(sum: CheckedSum, x: Float64Array): Float64Array {
  const y = new Float64Array(sum.out);
  for (const term of sum.terms) {
    const { b, aTransposed } = stack(sum.out, sum.in, [term]);
    for (const [k, column] of b.entries()) addScaled(y, dot(aTransposed[k]!, x), column);
  }
  return y;
}
