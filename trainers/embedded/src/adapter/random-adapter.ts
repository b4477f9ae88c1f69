import type { SeededRandom } from '../data/seeded-random.ts';
import type { TrainerModule } from '../model/model-config.ts';
import type { AdapterModule } from './peft-adapter.ts';

/** An adapter with small uniform numbers in both factors, to measure and to test with. Modules without a rank are left out. */
export function randomAdapter(
  modules: readonly TrainerModule[],
  rankOf: (module: TrainerModule) => number | null,
  scaling: number,
  random: SeededRandom,
): ReadonlyMap<string, AdapterModule> {
  const matrix = (count: number): Float32Array<ArrayBuffer> =>
    Float32Array.from({ length: count }, () => (random.uniform() - 0.5) * 0.1);
  return new Map(
    modules.flatMap((module) => {
      const rank = rankOf(module);
      if (rank === null) return [];
      const { name, out, in: width } = module;
      return [[name, { out, in: width, rank, scaling, a: matrix(rank * width), b: matrix(out * rank) }] as const];
    }),
  );
}
