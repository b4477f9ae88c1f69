import type { FactorEntry, ModuleName, RawFactor } from '@flexlora/core';
import { PULLS_AT_ONCE_MAX } from './limits.ts';
import { mapBounded } from './map-bounded.ts';
import type { ObjectReader } from './object-reader.ts';
import type { UpdateFactors } from './update-factors.ts';

/** Both factors of one module of one update. */
export interface FactorPair {
  readonly b: RawFactor;
  readonly a: RawFactor;
}

/** Bytes that `pullFactors` holds of one update. */
export function pulledBytes({ modules }: UpdateFactors, module: ModuleName): number {
  const { a, b } = modules.get(module)!;
  return a.end - a.begin + (b.end - b.begin);
}

/** Pulls one module's factors of some updates, in their order, by ranged reads of which a bounded number is under way. */
export function pullFactors(
  reader: ObjectReader,
  updates: readonly UpdateFactors[],
  module: ModuleName,
  signal: AbortSignal,
): Promise<readonly FactorPair[]> {
  return mapBounded(
    updates,
    PULLS_AT_ONCE_MAX,
    async ({ update, modules }, abort) => {
      const { a, b } = modules.get(module)!;
      // PEFT's order of names puts a module's two factors side by side: one read brings both.
      const [first, second] = a.begin < b.begin ? [a, b] : [b, a];
      if (first.end === second.begin) {
        const bytes = await reader.range(update.objectName, first.begin, second.end, abort);
        const cut = ({ begin, end }: FactorEntry) => bytes.subarray(begin - first.begin, end - first.begin);
        return { b: factor(b, cut(b)), a: factor(a, cut(a)) };
      }
      const [bytesOfB, bytesOfA] = [
        await reader.range(update.objectName, b.begin, b.end, abort),
        await reader.range(update.objectName, a.begin, a.end, abort),
      ];
      return { b: factor(b, bytesOfB), a: factor(a, bytesOfA) };
    },
    signal,
  );
}

const factor = ({ dtype, rows, cols }: FactorEntry, bytes: Uint8Array): RawFactor => ({ dtype, rows, cols, bytes });
