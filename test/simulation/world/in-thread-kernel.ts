import type { Kernel, KernelSum, SumRequest } from '@flexlora/kernel';
// The arithmetic without its worker thread, whose answers would come at times that no seed decides: the package hands out the thread alone.
import { createKernelSum, truncateAtOnce } from '../../../crates/flexlora-kernel-node/src/kernel-sum.ts';
import { checkSizes } from '../../../crates/flexlora-kernel-node/src/portable/check-request.ts';
import { createHeap, type Heap } from '../../../crates/flexlora-kernel-node/src/portable/heap.ts';
import { addTerms, type SumState, truncateSum } from '../../../crates/flexlora-kernel-node/src/portable/sum.ts';

/** Far above what modules of four by four take. */
const MEMORY_BYTES = 64 << 20;

/** The portable kernel, on this thread and at once. */
export function createInThreadKernel(): Kernel {
  let heap: Heap | null = null;
  const lendHeap = (): Heap => {
    heap ??= createHeap();
    return heap;
  };
  const beginSum = (request: SumRequest): KernelSum => {
    const job = { request, plan: checkSizes(request, MEMORY_BYTES), memoryBytes: MEMORY_BYTES };
    let state: SumState | null = null;
    return createKernelSum(request.module, job.plan, {
      add: async (terms) => {
        state = addTerms(job, state, terms, lendHeap);
      },
      truncate: async () => truncateSum(job, state, lendHeap),
      release: () => {
        state = null;
      },
    });
  };
  return { name: 'portable', beginSum, truncate: (request, signal) => truncateAtOnce(beginSum, request, signal) };
}
