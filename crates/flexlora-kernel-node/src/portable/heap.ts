import { type Address, loadWasm, PAGE_BYTES, type Wasm, type WasmFunctions } from './wasm.ts';

/** A cache line, so that rows of vectors lie as the processor reads them. */
const ALIGNMENT_BYTES = 64;

/**
 * The WebAssembly functions and their memory, handed out like a stack: what `scoped` takes is free after it. A view is of use until the next
 * allocation, which may move the memory.
 */
export interface Heap extends WasmFunctions {
  /** Zeros. */
  allocateFloats(count: number): Address;
  /** Zeros. */
  allocateDoubles(count: number): Address;
  floats(at: Address, count: number): Float32Array;
  doubles(at: Address, count: number): Float64Array;
  bytes(at: Address, count: number): Uint8Array;
  /** What `work` allocates is free when it returns. */
  scoped<Value>(work: () => Value): Value;
  /** Of the memory, which grows and never shrinks. */
  readonly heldBytes: number;
}

export function createHeap({ functions, memory }: Wasm = loadWasm()): Heap {
  let top = ALIGNMENT_BYTES;

  const allocate = (bytes: number): Address => {
    const at = top;
    top = Math.ceil((at + bytes) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
    const missing = top - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / PAGE_BYTES));
    new Uint8Array(memory.buffer, at, bytes).fill(0);
    return at;
  };

  return {
    ...functions,
    allocateFloats: (count) => allocate(count * 4),
    allocateDoubles: (count) => allocate(count * 8),
    floats: (at, count) => new Float32Array(memory.buffer, at, count),
    doubles: (at, count) => new Float64Array(memory.buffer, at, count),
    bytes: (at, count) => new Uint8Array(memory.buffer, at, count),
    scoped: (work) => {
      const mark = top;
      try {
        return work();
      } finally {
        top = mark;
      }
    },
    get heldBytes() {
      return memory.buffer.byteLength;
    },
  };
}

/**
 * The leading dimension of rows of a length: an odd multiple of 16 values, so that rows begin at cache lines, and the values of a column, one row
 * apart, do not all fall into the same set of the cache, as they would at a power of two.
 */
export function leadingOf(length: number): number {
  const lines = Math.ceil(length / 16);
  return 16 * (lines + (lines % 2 === 0 ? 1 : 0));
}
