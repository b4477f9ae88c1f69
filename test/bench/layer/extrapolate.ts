import type { LayerModule } from './layer-modules.ts';

/** What a model of many layers would take, worked out from one layer and never measured. */
export interface Extrapolation {
  readonly layers: number;
  readonly byWorkers: readonly { readonly workers: number; readonly seconds: number }[];
}

const WORKERS: readonly number[] = [1, 2, 4, 8];

/**
 * Layers are alike and modules independent, so the work is `layers` times that of one. Each of n workers, a machine like this one that reads the
 * updates as fast, takes whole modules of average time: the longest has `⌈modules / n⌉`.
 */
export function extrapolateLayers(layerSeconds: number, modulesOfLayer: number, layers: number): Extrapolation {
  const modules = modulesOfLayer * layers;
  const perModule = layerSeconds / modulesOfLayer;
  const byWorkers = WORKERS.map((workers) => ({ workers, seconds: Math.ceil(modules / workers) * perModule }));
  return { layers, byWorkers };
}

/** The pieces of the published method at one shape, measured. */
export interface ReferencePiece {
  readonly out: number;
  readonly in: number;
  /** To form and add the products of `clients` clients. */
  readonly formSeconds: number;
  readonly clients: number;
  readonly svdSeconds: number;
}

/** Seconds for all modules of a layer: forming in proportion to the clients, and one SVD a module. */
export function extrapolateReference(
  pieces: readonly ReferencePiece[],
  modules: readonly LayerModule[],
  clients: number,
): number {
  return modules.reduce((sum, module) => {
    const piece = pieces.find((each) => each.out === module.out && each.in === module.in);
    if (piece === undefined) throw new Error(`no piece of ${module.out} × ${module.in} was measured`);
    return sum + (piece.formSeconds * clients) / piece.clients + piece.svdSeconds;
  }, 0);
}

/** Modules of distinct shapes, the first of each. */
export function distinctShapes(modules: readonly LayerModule[]): readonly LayerModule[] {
  const isSame = (one: LayerModule, other: LayerModule) => one.out === other.out && one.in === other.in;
  return modules.filter((module, at) => modules.findIndex((other) => isSame(module, other)) === at);
}
