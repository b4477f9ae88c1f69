import { createHash } from 'node:crypto';
import { RankPolicy, RunSpec, Scaling, SvdSplit } from '@flexlora/contracts/run/v1/run_spec';
import { AdapterLayout } from '@flexlora/contracts/transfer/v1/transfer_service';
import { encodeComponent, type ModuleComponents } from '@flexlora/core';

/** A run of three small modules in two rank groups, one of them narrower than the largest tier. */
export const SPEC: RunSpec = RunSpec.fromPartial({
  runId: 'r1',
  baseModelName: 'tiny',
  baseModelDigest: 'b'.repeat(64),
  modules: [
    { name: 'model.q_proj', outFeatures: 48, inFeatures: 32, rankGroup: 'attention' },
    { name: 'model.v_proj', outFeatures: 3, inFeatures: 32, rankGroup: 'attention' },
    { name: 'model.up_proj', outFeatures: 40, inFeatures: 56, rankGroup: 'feed-forward' },
  ],
  rank: { min: 2, max: 8, tiers: [2, 4, 6, 8], policy: RankPolicy.DEADLINE_FIT },
  rounds: 2,
  training: { steps: 5, batchSize: 2, learningRate: 0.01, alpha: 6, scaling: Scaling.ALPHA_OVER_RANK },
});

export const RANKS: Readonly<Record<string, number>> = { attention: 4, 'feed-forward': 2 };

/** σ, u and v of every module at every rank, the same for the same version. */
export function fakeComponents(version: number): ReadonlyMap<string, readonly ModuleComponents[]> {
  const groups = new Map<string, ModuleComponents[]>();
  for (const [index, { outFeatures: out, inFeatures, rankGroup }] of SPEC.modules.entries()) {
    const rank = Math.min(SPEC.rank?.max ?? 0, out, inFeatures);
    const seed = version * 100 + index;
    const module: ModuleComponents = {
      out,
      in: inFeatures,
      rank,
      u: unitRows(rank, out, seed),
      singularValues: Float64Array.from({ length: rank }, (_, j) => (rank - j) / 2),
      v: unitRows(rank, inFeatures, seed + 50),
    };
    groups.set(rankGroup, [...(groups.get(rankGroup) ?? []), module]);
  }
  return groups;
}

/** What DownloadAdapter sends at these ranks. */
export function fakeAdapter(
  version: number,
  ranks: Readonly<Record<string, number>>,
): { readonly layout: AdapterLayout; readonly bytes: Buffer } {
  const pieces: Uint8Array[] = [];
  const objects = [...fakeComponents(version)].map(([rankGroup, modules]) => {
    const components = ranks[rankGroup] ?? 0;
    const slabs = Array.from({ length: components }, (_, component) => encodeComponent(modules, component));
    pieces.push(...slabs);
    const named = SPEC.modules.filter((module) => module.rankGroup === rankGroup);
    return {
      bytes: slabs.reduce((sum, slab) => sum + slab.byteLength, 0),
      rankGroup,
      components,
      modules: named.map(({ name, outFeatures, inFeatures }, index) => ({
        name,
        outFeatures,
        inFeatures,
        rank: modules[index]?.rank ?? 0,
        spectrum: [...(modules[index]?.singularValues ?? [])].slice(0, components),
      })),
      componentSha256: slabs.map((slab) => createHash('sha256').update(slab).digest('hex')),
    };
  });
  const bytes = Buffer.concat(pieces);
  return { layout: AdapterLayout.fromPartial({ bytes: bytes.byteLength, objects, svdSplit: SvdSplit.B }), bytes };
}

function unitRows(rows: number, columns: number, seed: number): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row += 1) {
    const at = values.subarray(row * columns, (row + 1) * columns);
    for (const index of at.keys()) at[index] = Math.sin(seed * 12.9898 + row * 78.233 + index * 37.719);
    const norm = Math.hypot(...at);
    for (const index of at.keys()) at[index] = (at[index] ?? 0) / norm;
  }
  return values;
}
