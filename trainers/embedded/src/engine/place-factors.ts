import type { AdapterModule } from '../adapter/peft-adapter.ts';
import type { ParameterBlock } from './adam.ts';
import type { Heap } from './heap.ts';
import type { Kernels } from './kernels.ts';
import { type Factors, paddedRank } from './linear.ts';

/** An adapter in the kernels' memory, in one block for the optimiser. */
export interface PlacedFactors {
  readonly factors: ReadonlyMap<string, Factors>;
  readonly block: ParameterBlock;
  /** Makes the derived matrices again after the block has changed. */
  refresh(): void;
  /** The factors as they stand, of the same ranks as those that were placed. */
  read(): ReadonlyMap<string, AdapterModule>;
}

export function placeFactors(kernels: Kernels, heap: Heap, adapter: ReadonlyMap<string, AdapterModule>): PlacedFactors {
  let count = 0;
  for (const module of adapter.values()) count += paddedRank(module.rank) * (module.in + module.out);
  const at = heap.allocate(count);
  const gradient = heap.allocate(count);
  const factors = new Map<string, Factors>();
  let offset = 0;
  for (const [name, { rank, scaling, out, in: width, a, b }] of adapter) {
    const padded = paddedRank(rank);
    const bOffset = offset + padded * width * 4;
    factors.set(name, {
      rank,
      padded,
      scaling,
      a: at + offset,
      bTransposed: at + bOffset,
      aGradient: gradient + offset,
      bTransposedGradient: gradient + bOffset,
      aTransposed: heap.allocate(padded * width),
      b: heap.allocate(padded * out),
    });
    heap.floats(at + offset, a.length).set(a);
    const transposed = heap.floats(at + bOffset, rank * out);
    for (let i = 0; i < out; i++) for (let j = 0; j < rank; j++) transposed[j * out + i] = b[i * rank + j]!;
    offset = bOffset + padded * out * 4;
  }

  const placed: PlacedFactors = {
    factors,
    block: { at, gradient, count },
    refresh() {
      for (const [name, module] of adapter) {
        const { padded, ...own } = factors.get(name)!;
        kernels.transpose(own.aTransposed, own.a, padded, module.in, module.in);
        kernels.transpose(own.b, own.bTransposed, padded, module.out, module.out);
      }
    },
    read: () =>
      new Map(
        [...adapter].map(([name, module]) => {
          const { a, bTransposed } = factors.get(name)!;
          const { rank, out } = module;
          const columns = heap.floats(bTransposed, rank * out);
          const b = Float32Array.from(
            { length: out * rank },
            (_, i) => columns[(i % rank) * out + Math.floor(i / rank)]!,
          );
          return [name, { ...module, a: heap.floats(a, rank * module.in).slice(), b }];
        }),
      ),
  };
  placed.refresh();
  return placed;
}
