import type { Heap } from './heap.ts';
import type { Address, Kernels } from './kernels.ts';

/** Ranks are padded with zeros to this, the width of the matrix product's tile; a zero row of A with a zero column of B stays zero. */
const RANK_STEP = 8;
export const paddedRank = (rank: number): number => Math.ceil(rank / RANK_STEP) * RANK_STEP;

/** A frozen weight (out × in), and its transpose for the way forward. */
export interface Weight {
  readonly name: string;
  readonly out: number;
  readonly in: number;
  readonly rows: Address;
  readonly transposed: Address;
}

/** LoRA on one weight: A (rank × in) and Bᵀ (rank × out), each with its gradient; rows beyond the rank are zero. */
export interface Factors {
  readonly rank: number;
  readonly padded: number;
  readonly scaling: number;
  readonly a: Address;
  readonly bTransposed: Address;
  readonly aGradient: Address;
  readonly bTransposedGradient: Address;
  /** Derived from the above by `refresh`, for the products that want them so. */
  readonly aTransposed: Address;
  readonly b: Address;
}

/** y = x·Wᵀ + s·(x·Aᵀ)·Bᵀ over `tokens` rows, and its gradients. */
export interface Linear {
  readonly weight: Weight;
  forward(y: Address, x: Address): void;
  /** Adds to the gradients of the trained tensors; dx += the gradient by x, unless dx is null. */
  backward(dx: Address | null, dy: Address, x: Address): void;
}

export interface LinearOptions {
  readonly weight: Weight;
  readonly factors: Factors | null;
  /** Where the gradient by W is added up, or null where W is frozen. */
  readonly weightGradient: Address | null;
  readonly tokens: number;
  readonly scratch: LinearScratch;
}

/** Shared by all layers: it is free again when a call returns. */
export interface LinearScratch {
  readonly pack: Address;
  /** tokens × the largest of out, in and padded rank; twice. */
  readonly wide: Address;
  readonly wideOther: Address;
}

export function createLinear(kernels: Kernels, heap: Heap, options: LinearOptions): Linear {
  const { weight, factors, weightGradient, tokens, scratch } = options;
  const { pack } = scratch;
  // s·x·Aᵀ, kept from the way forward for the way back.
  const hidden = factors === null ? 0 : heap.allocate(tokens * factors.padded);
  /** c (m × n) = or += a (m × k) · b (k × n), all dense. */
  const product = (c: Address, a: Address, b: Address, m: number, n: number, k: number, accumulate: 0 | 1): void =>
    kernels.matmul(c, a, b, m, n, k, k, n, n, accumulate, pack);

  return {
    weight,
    forward(y, x) {
      product(y, x, weight.transposed, tokens, weight.out, weight.in, 0);
      if (factors === null) return;
      product(hidden, x, factors.aTransposed, tokens, factors.padded, weight.in, 0);
      kernels.scale(hidden, factors.scaling, tokens * factors.padded);
      product(y, hidden, factors.bTransposed, tokens, weight.out, factors.padded, 1);
    },
    backward(dx, dy, x) {
      if (dx !== null) product(dx, dy, weight.rows, tokens, weight.in, weight.out, 1);
      if (factors !== null) {
        const { padded } = factors;
        const hiddenTransposed = scratch.wide;
        kernels.transpose(hiddenTransposed, hidden, tokens, padded, padded);
        product(factors.bTransposedGradient, hiddenTransposed, dy, padded, weight.out, tokens, 1);
        const dHidden = scratch.wide;
        const dHiddenTransposed = scratch.wideOther;
        product(dHidden, dy, factors.b, tokens, padded, weight.out, 0);
        kernels.scale(dHidden, factors.scaling, tokens * padded);
        kernels.transpose(dHiddenTransposed, dHidden, tokens, padded, padded);
        product(factors.aGradient, dHiddenTransposed, x, padded, weight.in, tokens, 1);
        if (dx !== null) product(dx, dHidden, factors.a, tokens, weight.in, padded, 1);
      }
      if (weightGradient !== null) {
        kernels.transpose(scratch.wide, dy, tokens, weight.out, weight.out);
        product(weightGradient, scratch.wide, x, weight.out, weight.in, tokens, 1);
      }
    },
  };
}
