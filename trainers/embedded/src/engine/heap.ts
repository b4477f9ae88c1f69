import { TrainerError } from '../trainer-error.ts';
import { type Address, type KernelMemory, PAGE_BYTES } from './kernels.ts';

/** Below this lie the kernels' own constants. */
const HEAP_BASE = 4_096;
/** Vectors are loaded from cache lines. */
const ALIGNMENT = 64;

/** Floats in the kernels' memory. What is allocated after a mark is given back, all at once, by a release to it. */
export interface Heap {
  /** Zeroed floats: nothing of an earlier request is ever read. */
  allocate(floats: number): Address;
  /** A view that is good until the next allocation. */
  floats(at: Address, count: number): Float32Array<ArrayBuffer>;
  integers(at: Address, count: number): Int32Array<ArrayBuffer>;
  readonly usedBytes: number;
  mark(): number;
  release(mark: number): void;
}

export function createHeap(memory: KernelMemory): Heap {
  let used = HEAP_BASE;
  return {
    allocate(floats) {
      const bytes = Math.ceil((floats * 4) / ALIGNMENT) * ALIGNMENT;
      const missing = used + bytes - memory.buffer.byteLength;
      if (missing > 0) grow(memory, missing, used);
      const at = used;
      used += bytes;
      new Uint8Array(memory.buffer, at, bytes).fill(0);
      return at;
    },
    floats: (at, count) => new Float32Array(memory.buffer, at, count),
    integers: (at, count) => new Int32Array(memory.buffer, at, count),
    get usedBytes() {
      return used;
    },
    mark: () => used,
    release(mark) {
      used = mark;
    },
  };
}

function grow(memory: KernelMemory, bytes: number, used: number): void {
  try {
    memory.grow(Math.ceil(bytes / PAGE_BYTES));
  } catch (cause) {
    throw new TrainerError(
      'out_of_memory',
      `${used} bytes are in use and ${bytes} more could not be had: use a smaller batch_size or smaller ranks`,
      { cause, peakBytes: used },
    );
  }
}
