import type { Heap } from './heap.ts';
import type { Address, Kernels } from './kernels.ts';

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

export interface ParameterBlock {
  readonly at: Address;
  readonly gradient: Address;
  readonly count: number;
}

/** Adam with PyTorch's defaults over one block; its moments are new, so a request starts from nothing. */
export interface Adam {
  /** Steps along the gradients and sets them to zero. */
  step(learningRate: number): void;
}

export function createAdam(kernels: Kernels, heap: Heap, block: ParameterBlock): Adam {
  const means = heap.allocate(block.count);
  const squares = heap.allocate(block.count);
  let t = 0;
  return {
    step(learningRate) {
      t += 1;
      const corrections = [1 / (1 - BETA1 ** t), 1 / (1 - BETA2 ** t)] as const;
      const { at, count, gradient } = block;
      kernels.adam(at, gradient, means, squares, count, learningRate, BETA1, BETA2, EPSILON, ...corrections);
      heap.floats(gradient, count).fill(0);
    },
  };
}
