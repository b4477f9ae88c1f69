import type { KernelPlan, SumRequest } from '../kernel.ts';

/** The methods that the portable kernel has. */
export type PortableMethod = 'stacked' | 'dense';

export interface PortablePlan extends KernelPlan {
  readonly method: PortableMethod;
}

/** Operations per second of products and QR in float64, and of small SVDs: the rates of `cost.rs`. */
const DOUBLE = 1.5e10;
const SMALL = 4e9;
/** Operations per cubed side of a square SVD with both sets of vectors (Golub and Van Loan, 4th ed., table 8.6.1). */
const SVD_OPERATIONS = 22;

/**
 * Below min(out, in) the stacked method is the cheaper one wherever it applies (docs/internals/kernel-maths.md shows why), so this is
 * what the cost formulas of `plan.rs` come to for these two methods.
 */
export function plan(request: Pick<SumRequest, 'out' | 'in' | 'rank' | 'rankSum' | 'method'>): PortablePlan {
  const { out, in: cols, rankSum } = request;
  const isStacked = request.method === undefined ? rankSum < Math.min(out, cols) : request.method === 'stacked';
  const side = isStacked ? rankSum : Math.min(out, cols);
  const kept = Math.min(request.rank, side);
  const products = isStacked
    ? 2 * rankSum * rankSum * (out + cols)
    : 2 * out * cols * rankSum + 2 * Math.max(out, cols) * side * side;
  const double = products + 4 * (out + cols) * side * kept;
  const small = SVD_OPERATIONS * side ** 3;
  // The proof's 8 probes and their images, and the answer, come on top of both.
  const values = (isStacked ? 3 * rankSum * (out + cols) : 4 * out * cols) + (16 + 2 * kept) * (out + cols);
  return {
    method: isStacked ? 'stacked' : 'dense',
    blocks: 0,
    operations: double + small,
    scratchBytes: 8 * values,
    seconds: double / DOUBLE + small / SMALL,
  };
}
