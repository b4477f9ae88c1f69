import type { Columns } from './columns.ts';

/** W = u · diag(values) · vᵀ + (what was cut off), values descending. */
export interface Decomposition {
  /** out × k. */
  readonly u: Columns;
  readonly values: Float64Array;
  /** in × k. */
  readonly v: Columns;
  /** ‖W‖_F² of all of W, not only of what is kept. */
  readonly energyTotal: number;
}

/** W = 0: no components at all. */
export const NO_COMPONENTS: Decomposition = { u: [], values: new Float64Array(0), v: [], energyTotal: 0 };
