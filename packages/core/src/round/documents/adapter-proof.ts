import type { ModuleResult, PublishedRound } from '../round-state.ts';
import type { AdapterManifest } from './adapter-manifest.ts';

export type AdapterProof = Pick<PublishedRound, 'energyDroppedMax' | 'residualMax'>;

/** The worst of an adapter's modules. */
export const worstOf = (
  modules: readonly Pick<ModuleResult, 'energyKept' | 'energyTotal' | 'residual'>[],
): AdapterProof => ({
  energyDroppedMax: modules.reduce((max, module) => Math.max(max, energyDropped(module)), 0),
  residualMax: modules.reduce((max, { residual }) => Math.max(max, residual), 0),
});

export const adapterProof = ({ objects }: Pick<AdapterManifest, 'objects'>): AdapterProof =>
  worstOf(objects.flatMap(({ modules }) => modules));

/** Share of ‖W‖² that truncation dropped; rounding may make the kept energy a little larger than the whole. */
const energyDropped = ({ energyKept, energyTotal }: Pick<ModuleResult, 'energyKept' | 'energyTotal'>): number =>
  energyTotal === 0 ? 0 : Math.max(0, 1 - energyKept / energyTotal);
