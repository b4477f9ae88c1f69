import type { KernelMethod } from '../kernel.ts';

/** The sizes that decide. */
export interface PlanShape {
  readonly out: number;
  readonly in: number;
  readonly rankSum: number;
}

/**
 * The cost formulas of `plan.rs` have no crossing below min(out, in) (docs/internals/kernel-maths.md shows why), so this is what they
 * come to.
 */
export function plan(shape: PlanShape): KernelMethod {
  return shape.rankSum < Math.min(shape.out, shape.in) ? 'stacked' : 'dense';
}
