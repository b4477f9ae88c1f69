import type { KernelPlan, SumRequest } from '../kernel.ts';
import { blocksExpected, cost } from './cost.ts';
import { WASM_BYTES_MAX } from './wasm.ts';

/** The methods that the portable kernel has. */
export type PortableMethod = 'stacked' | 'accumulated' | 'dense';

export const PORTABLE_METHODS: readonly PortableMethod[] = ['stacked', 'accumulated', 'dense'];

export interface PortablePlan extends KernelPlan {
  readonly method: PortableMethod;
}

/** The sizes that decide. */
export interface PlanShape {
  readonly out: number;
  readonly in: number;
  /** Sum of the terms' ranks. */
  readonly rankSum: number;
  /** Components wanted, `min(rank, out, in)`. */
  readonly rank: number;
}

/** A plan, or why there is none. */
export type Planned =
  | { readonly kind: 'planned'; readonly plan: PortablePlan }
  /** With the method that takes the least memory. */
  | { readonly kind: 'tooLarge'; readonly method: PortableMethod; readonly scratchBytes: number }
  /** The method asked for needs a sum of ranks below the short side. */
  | { readonly kind: 'doesNotApply'; readonly method: PortableMethod };

export function shapeOf({ out, in: cols, rankSum, rank }: SumRequest): PlanShape {
  return { out, in: cols, rankSum, rank: Math.min(rank, out, cols) };
}

/**
 * The fastest method by `cost` among those that apply and fit, the first of equals; with `method`, that one or none. The choice depends on the
 * request alone, never on the machine, so that every machine that is asked for the same goes the same way.
 */
export function plan(shape: PlanShape, method: PortableMethod | null, memoryBytes: number): Planned {
  if (method !== null && !applies(method, shape)) return { kind: 'doesNotApply', method };
  const plans = PORTABLE_METHODS.filter((each) => applies(each, shape) && (method ?? each) === each).map((each) =>
    planOf(each, shape),
  );
  const fitting = plans.filter((each) => fits(each, memoryBytes));
  const least = (key: 'seconds' | 'scratchBytes') => (a: PortablePlan, b: PortablePlan) => (b[key] < a[key] ? b : a);
  if (fitting.length > 0) return { kind: 'planned', plan: fitting.reduce(least('seconds')) };
  const smallest = plans.reduce(least('scratchBytes'));
  return { kind: 'tooLarge', method: smallest.method, scratchBytes: smallest.scratchBytes };
}

export function planOf(method: PortableMethod, shape: PlanShape): PortablePlan {
  const blocks = method === 'accumulated' ? blocksExpected(shape) : 0;
  return { method, blocks, ...cost(method, shape, blocks) };
}

/** A tall QR needs more rows than columns on both sides. */
function applies(method: PortableMethod, { out, in: cols, rankSum }: PlanShape): boolean {
  return method !== 'stacked' || rankSum < Math.min(out, cols);
}

function fits({ method, scratchBytes }: PortablePlan, memoryBytes: number): boolean {
  return scratchBytes <= (method === 'accumulated' ? Math.min(memoryBytes, WASM_BYTES_MAX) : memoryBytes);
}
