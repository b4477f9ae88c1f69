import { createHash } from 'node:crypto';
import {
  type AdapterManifest,
  type AdapterObject,
  bytesOfValues,
  componentOffsets,
  factorValues,
  isRefusal,
  type ModuleName,
  type RawFactor,
  type Refusal,
  refuse,
} from '@flexlora/core';
import type { ObjectReader } from './object-reader.ts';
import type { FactorPair } from './pull-factors.ts';

/** G: the adapter that the round started from. */
export interface PreviousAdapter {
  /** Components that it has of this module; 0 where there is none. */
  rankOf(module: ModuleName): number;
  /** Its first `rank` components as factors: `B = [σ_j u_j]` (out × rank), `A = [v_j]` (rank × in). */
  factors(module: ModuleName, rank: number, signal: AbortSignal): Promise<FactorPair | Refusal>;
}

export const NO_PREVIOUS_ADAPTER: PreviousAdapter = {
  rankOf: () => 0,
  factors: async (module) =>
    refuse('unknownRound', `module ${module} has no previous adapter; round 0 starts from none`),
};

/** Holds one object, that of the module asked for last: the modules of a task lie in one object, because the plan never changes. */
export function createPreviousAdapter(reader: ObjectReader, manifest: AdapterManifest): PreviousAdapter {
  const objectOf = new Map(
    manifest.objects.flatMap((object) =>
      object.modules.map((module, index) => [module.name, { object, index }] as const),
    ),
  );
  let held: { readonly object: AdapterObject; readonly bytes: Uint8Array } | null = null;

  const read = async (object: AdapterObject, signal: AbortSignal): Promise<Uint8Array | Refusal> => {
    if (held?.object === object) return held.bytes;
    held = null;
    const bytes = await reader.range(object.objectName, 0, object.bytes, signal);
    const digest = createHash('sha256').update(bytes).digest('hex');
    if (digest !== object.digest) {
      return refuse('badDigest', `SHA-256 of ${object.objectName} is ${digest}; its manifest says ${object.digest}`);
    }
    held = { object, bytes };
    return bytes;
  };

  return {
    rankOf: (module) => {
      const found = objectOf.get(module);
      return found === undefined ? 0 : found.object.modules[found.index]!.rank;
    },
    factors: async (module, rank, signal) => {
      const found = objectOf.get(module);
      if (found === undefined) return NO_PREVIOUS_ADAPTER.factors(module, rank, signal);
      const bytes = await read(found.object, signal);
      return isRefusal(bytes) ? bytes : cutFactors(bytes, found.object, found.index, rank);
    },
  };
}

function cutFactors(bytes: Uint8Array, object: AdapterObject, index: number, rank: number): FactorPair {
  const { out, in: columns } = object.modules[index]!;
  const b = new Float32Array(out * rank);
  const a = new Float32Array(rank * columns);
  for (let component = 0; component < rank; component += 1) {
    const { sigmaUAt, vAt } = componentOffsets(object.modules, component)[index]!;
    const sigmaU = row(bytes, sigmaUAt, out);
    for (let i = 0; i < out; i += 1) b[i * rank + component] = sigmaU[i]!;
    a.set(row(bytes, vAt, columns), component * columns);
  }
  return { b: matrix(out, rank, b), a: matrix(rank, columns, a) };
}

const row = (bytes: Uint8Array, at: number, count: number): Float32Array =>
  factorValues({ dtype: 'F32', rows: 1, cols: count, bytes: bytes.subarray(at, at + 4 * count) });

const matrix = (rows: number, cols: number, values: Float32Array): RawFactor => ({
  dtype: 'F32',
  rows,
  cols,
  bytes: bytesOfValues(values),
});
