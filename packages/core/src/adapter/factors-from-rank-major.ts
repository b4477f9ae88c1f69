import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import type { SvdSplit } from '../round/run-spec.ts';
import { type AdapterFactors, checkFinite, splitWeights } from './adapter-factors.ts';
import { componentOffsets, type LayoutModule, prefixBytes } from './adapter-layout.ts';

/** The adapter that one agent gets in one module. */
export interface WantedFactors {
  /** Components of the agent: at most those of the object. */
  readonly rank: number;
  /** The agent's own s: above 0. */
  readonly scaling: number;
}

/**
 * Turns the first components of a rank-major object into PEFT factors: `s·B·A = Σ_{j < r} σ_j u_j v_jᵀ`, the best rank-r approximation of
 * W, for every module at its own rank and scaling. Refused where a value is not finite: in the object, or because f32 does not hold σ_0 / s.
 *
 * @param bytes at least the first `prefixBytes(layout, largest wanted rank)` bytes of the object.
 * @param wanted one for each module of the layout, in its order.
 */
export function factorsFromRankMajor(
  bytes: Uint8Array,
  layout: readonly (LayoutModule & { readonly name: string })[],
  wanted: readonly WantedFactors[],
  split: SvdSplit,
): readonly AdapterFactors[] | Refusal {
  const problem = check(bytes, layout, wanted);
  if (isRefusal(problem)) return problem;
  const factors = wanted.map(({ rank }, m) => ({
    rank,
    b: new Float32Array(layout[m]!.out * rank),
    a: new Float32Array(rank * layout[m]!.in),
  }));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const largestAt = componentOffsets(layout, 0);
  for (let component = 0; component < problem; component++) {
    const offsets = componentOffsets(layout, component);
    for (const [m, module] of layout.entries()) {
      if (wanted[m]!.rank <= component) continue;
      const { sigmaUAt, vAt } = offsets[m]!;
      const sigma = norm(view, sigmaUAt, module.out);
      const weights = splitWeights(split, sigma, wanted[m]!.scaling);
      const { rank, b, a } = factors[m]!;
      // The object holds σ_j u_j, so u_j's weight is divided by σ_j once more; a zero vector stays zero.
      const perSigma = sigma === 0 ? 0 : weights.b / sigma;
      for (let i = 0; i < module.out; i++) b[i * rank + component] = perSigma * view.getFloat32(sigmaUAt + 4 * i, true);
      const row = component * module.in;
      for (let i = 0; i < module.in; i++) a[row + i] = weights.a * view.getFloat32(vAt + 4 * i, true);
    }
  }
  for (const [m, module] of layout.entries()) {
    const bad = checkFinite(
      module.name,
      factors[m]!,
      norm(view, largestAt[m]!.sigmaUAt, module.out),
      wanted[m]!.scaling,
    );
    if (bad !== null) return bad;
  }
  return factors;
}

/** @returns the largest rank that is wanted. */
function check(bytes: Uint8Array, layout: readonly LayoutModule[], wanted: readonly WantedFactors[]): number | Refusal {
  if (wanted.length !== layout.length) {
    return refuse(
      'badModule',
      `factors of ${wanted.length} modules are wanted; the object has ${layout.length}: name each of them`,
    );
  }
  let largest = 0;
  for (const [m, { rank, scaling }] of wanted.entries()) {
    if (!Number.isInteger(rank) || rank < 1 || rank > layout[m]!.rank) {
      return refuse(
        'rankOutOfRange',
        `rank ${rank} is wanted of module ${m}; the object allows 1 to ${layout[m]!.rank}`,
      );
    }
    if (!Number.isFinite(scaling) || scaling <= 0) {
      return refuse(
        'badNumber',
        `the scaling of module ${m} is ${scaling}; allowed: a number above 0: set alpha above 0`,
      );
    }
    largest = Math.max(largest, rank);
  }
  const needed = prefixBytes(layout, largest);
  if (bytes.byteLength >= needed) return largest;
  return refuse(
    'badFile',
    `the adapter's prefix has ${bytes.byteLength} bytes; rank ${largest} needs ${needed}: read on from there`,
  );
}

/** σ_j = ‖σ_j u_j‖, because u_j has unit length. */
function norm(view: DataView, at: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const value = view.getFloat32(at + 4 * i, true);
    sum += value * value;
  }
  return Math.sqrt(sum);
}
