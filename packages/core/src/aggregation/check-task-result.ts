import { componentCount, prefixBytes } from '../adapter/adapter-layout.ts';
import { checkSpectrum } from '../adapter/check-spectrum.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { ModuleResult, TaskResult } from '../round/round-state.ts';
import type { ModuleSpec } from '../round/run-spec.ts';

/** How the kernel may have decomposed a sum. */
export const SUM_METHODS: readonly string[] = ['stacked', 'factored', 'accumulated', 'dense'];

export interface ExpectedResult {
  readonly modules: readonly ModuleSpec[];
  readonly rank: number;
  readonly tolerance: number;
}

/** Null, or why the result cannot be the truncated sum of these modules: the layout of its object follows from the task alone. */
export function checkTaskResult({ modules, rank, tolerance }: ExpectedResult, result: TaskResult): Refusal | null {
  const layout = modules.map((module) => ({ ...module, rank: Math.min(rank, module.out, module.in) }));
  const bad = badOf(result);

  if (result.modules.length !== layout.length) return bad('number of modules', result.modules.length, layout.length);
  for (const [i, expected] of layout.entries()) {
    const got = result.modules[i]!;
    if (got.name !== expected.name)
      return bad(`modules[${i}].name`, JSON.stringify(got.name), JSON.stringify(expected.name));
    if (got.rank !== expected.rank) return bad(`rank of ${got.name}`, got.rank, expected.rank);
    if (got.spectrum.length !== expected.rank)
      return bad(`length of the spectrum of ${got.name}`, got.spectrum.length, expected.rank);
    const unordered = got.spectrum.findIndex(
      (sigma, j) => !(sigma >= 0 && sigma <= (got.spectrum[j - 1] ?? Number.MAX_VALUE)),
    );
    if (unordered >= 0)
      return bad(
        `spectrum[${unordered}] of ${got.name}`,
        got.spectrum[unordered]!,
        'finite, not negative, descending values',
      );
    const diverged = checkSpectrum(got.name, got.spectrum);
    if (diverged !== null) return diverged;
    const proof = checkProof(got, tolerance, bad);
    if (proof !== null) return proof;
  }
  const bytes = prefixBytes(layout, rank);
  if (result.bytes !== bytes) return bad('size', result.bytes, `${bytes} bytes`);
  const components = componentCount(layout);
  if (result.componentDigests.length !== components) {
    return bad('number of component digests', result.componentDigests.length, components);
  }
  return null;
}

type Bad = (field: string, got: string | number | boolean, allowed: string | number) => Refusal;

const badOf =
  ({ objectName }: TaskResult): Bad =>
  (field, got, allowed) =>
    refuse('badTensor', `${field} of ${objectName} is ${got}; the task's modules allow ${allowed}: fail the task`);

const MEASURES = ['rankSum', 'energyKept', 'energyTotal', 'energyTotalError', 'residual', 'excess', 'seconds'] as const;
const COUNTS = ['blocks', 'scratchBytes'] as const;
/** `1 + excess` and a tolerance that were rounded on their way still compare as equal. */
const ROUNDING = 1e-12;

/** Null, or what in the kernel's account of itself cannot be, or does not reach what was asked for. */
function checkProof(got: ModuleResult, tolerance: number, bad: Bad): Refusal | null {
  for (const field of MEASURES) {
    if (!(Number.isFinite(got[field]) && got[field] >= 0))
      return bad(`${field} of ${got.name}`, got[field], 'a finite number that is not negative');
  }
  for (const field of COUNTS) {
    if (!(Number.isSafeInteger(got[field]) && got[field] >= 0))
      return bad(`${field} of ${got.name}`, got[field], 'a whole number that is not negative');
  }
  const methods = SUM_METHODS.join(', ');
  if (!SUM_METHODS.includes(got.method)) return bad(`method of ${got.name}`, JSON.stringify(got.method), methods);
  if (got.fallbackFrom !== null && !SUM_METHODS.includes(got.fallbackFrom))
    return bad(`fallbackFrom of ${got.name}`, JSON.stringify(got.fallbackFrom), `${methods}, or none`);
  if (got.converged !== (got.fallbackFrom === null))
    return bad(
      `converged of ${got.name}`,
      got.converged,
      'true where no other method took the place of the planned one',
    );
  if (got.tolerance !== tolerance) return bad(`tolerance of ${got.name}`, got.tolerance, tolerance);
  if (1 + got.excess > tolerance + ROUNDING)
    return bad(`excess of ${got.name}`, got.excess, `at most ${tolerance - 1}`);
  return null;
}
