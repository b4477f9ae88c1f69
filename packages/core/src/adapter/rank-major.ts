import { componentBytes, componentCount, type LayoutModule } from './adapter-layout.ts';
import { checkSpectrum } from './check-spectrum.ts';
import { bytesOfValues } from './factor.ts';

/** The truncated SVD of one module, as the kernel gives it. */
export interface ModuleComponents extends LayoutModule {
  /** rank × out, row j is u_j; zero where σ_j is zero. */
  readonly u: Float32Array;
  /** Descending. */
  readonly singularValues: Float64Array;
  /** rank × in, row j is v_j. */
  readonly v: Float32Array;
}

/**
 * The slab of one component: `σ_j u_j` and `v_j` of each module that has it, in the order of the modules (`adapter-layout`). The spectra
 * have passed `checkSpectrum`: an infinity in an object would reach every agent, so it ends here at the latest.
 */
export function encodeComponent(modules: readonly ModuleComponents[], component: number): Uint8Array {
  const slab = new Float32Array(componentBytes(modules, component) / Float32Array.BYTES_PER_ELEMENT);
  let at = 0;
  for (const [m, module] of modules.entries()) {
    if (module.rank <= component) continue;
    const sigma = module.singularValues[component]!;
    const bad = checkSpectrum(`number ${m}`, module.singularValues);
    if (bad !== null) throw new Error(bad.message);
    const from = component * module.out;
    for (let i = 0; i < module.out; i++) slab[at + i] = sigma * module.u[from + i]!;
    at += module.out;
    slab.set(module.v.subarray(component * module.in, (component + 1) * module.in), at);
    at += module.in;
  }
  return bytesOfValues(slab);
}

/** The whole object, a slab at a time. */
export function* encodeRankMajor(modules: readonly ModuleComponents[]): Generator<Uint8Array, void> {
  const count = componentCount(modules);
  for (let component = 0; component < count; component++) yield encodeComponent(modules, component);
}
