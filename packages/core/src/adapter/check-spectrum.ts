import { type Refusal, refuse } from '../refusal.ts';

/** Half of f32's range: `σ_j u_j` is stored as f32, and a unit vector may have been rounded up. */
export const SINGULAR_VALUE_MAX = 2 ** 127;

/** Null, or which singular value the f32 of an adapter cannot hold. Spectra are f64, so they alone do not show it. */
export function checkSpectrum(module: string, spectrum: ArrayLike<number>): Refusal | null {
  for (let j = 0; j < spectrum.length; j++) {
    const sigma = spectrum[j]!;
    if (sigma <= SINGULAR_VALUE_MAX) continue;
    return refuse(
      'badNumber',
      `module ${module}: an update diverged: singular value ${j} of the sum is ${sigma}; allowed: 0 to ${SINGULAR_VALUE_MAX.toExponential(1)}, what f32 holds: leave that update out, or train with a smaller learning rate`,
    );
  }
  return null;
}
