/**
 * The byte layout of a rank-major adapter object: for component 0, 1, 2 … the modules in order, each as `σ_j u_j` (out × f32) and
 * `v_j` (in × f32), little-endian. A module of rank p_m takes part in components 0 … p_m − 1. So the first r components of all modules
 * are the first `prefixBytes(modules, r)` bytes of the object.
 */
export interface LayoutModule {
  readonly out: number;
  readonly in: number;
  /** Components of this module in the object. */
  readonly rank: number;
}

const F32_BYTES = 4;

/** Bytes of component j: the modules whose rank is above j. */
export function componentBytes(modules: readonly LayoutModule[], component: number): number {
  let bytes = 0;
  for (const module of modules) if (module.rank > component) bytes += (module.out + module.in) * F32_BYTES;
  return bytes;
}

/** Bytes of the first `rank` components. */
export function prefixBytes(modules: readonly LayoutModule[], rank: number): number {
  let bytes = 0;
  for (const module of modules) bytes += Math.min(rank, module.rank) * (module.out + module.in) * F32_BYTES;
  return bytes;
}

/** Number of components of the object: the largest rank of its modules. */
export function componentCount(modules: readonly LayoutModule[]): number {
  let count = 0;
  for (const module of modules) count = Math.max(count, module.rank);
  return count;
}

/** Where component j of each module lies, in the order of the modules; null where the module has no such component. */
export function componentOffsets(
  modules: readonly LayoutModule[],
  component: number,
): readonly ({ readonly sigmaUAt: number; readonly vAt: number } | null)[] {
  let at = prefixBytes(modules, component);
  return modules.map((module) => {
    if (module.rank <= component) return null;
    const sigmaUAt = at;
    const vAt = at + module.out * F32_BYTES;
    at = vAt + module.in * F32_BYTES;
    return { sigmaUAt, vAt };
  });
}
