import type { KernelMethod, TruncatedSum, TruncateRequest } from '../kernel.ts';
import { canonical } from './canonical.ts';
import { checkRequest } from './check-request.ts';
import type { CheckedSum } from './checked-sum.ts';
import { type Decomposition, NO_COMPONENTS } from './decomposition.ts';
import { decomposeDense } from './dense.ts';
import { plan } from './plan.ts';
import { measureResidual } from './proof.ts';
import { timesPowerOfTwo } from './scale.ts';
import { decomposeStacked } from './stacked.ts';

/** The whole kernel on the calling thread: the same steps, in the same order and with the same names, as `flexlora-kernel` in Rust. */
export function truncate(request: TruncateRequest): TruncatedSum {
  const startMs = performance.now();
  const sum = checkRequest(request);
  const method = plan(sum);
  const found = sum.magnitude === 0 ? NO_COMPONENTS : decompose(method, sum);
  const answer = canonical(found, sum);
  const residual = measureResidual(sum, answer);
  return {
    rank: sum.rank,
    u: answer.u,
    singularValues: answer.values.map((s) => timesPowerOfTwo(s, sum.exponent)),
    v: answer.v,
    method,
    rankSum: sum.rankSum,
    energyKept: timesPowerOfTwo(answer.energyKept, 2 * sum.exponent),
    energyTotal: timesPowerOfTwo(answer.energyTotal, 2 * sum.exponent),
    residual,
    seconds: (performance.now() - startMs) / 1000,
  };
}

function decompose(method: KernelMethod, sum: CheckedSum): Decomposition {
  switch (method) {
    case 'stacked':
      return decomposeStacked(sum);
    case 'dense':
      return decomposeDense(sum);
  }
}
