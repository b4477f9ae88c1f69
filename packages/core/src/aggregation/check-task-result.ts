import { componentCount, prefixBytes } from '../adapter/adapter-layout.ts';
import { checkSpectrum } from '../adapter/check-spectrum.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { TaskResult } from '../round/round-state.ts';
import type { ModuleSpec } from '../round/run-spec.ts';

export interface ExpectedResult {
  readonly modules: readonly ModuleSpec[];
  readonly rank: number;
}

/** Null, or why the result cannot be the truncated sum of these modules: the layout of its object follows from the task alone. */
export function checkTaskResult({ modules, rank }: ExpectedResult, result: TaskResult): Refusal | null {
  const layout = modules.map((module) => ({ ...module, rank: Math.min(rank, module.out, module.in) }));
  const bad = (field: string, got: string | number, allowed: string | number): Refusal =>
    refuse(
      'badTensor',
      `${field} of ${result.objectName} is ${got}; the task's modules allow ${allowed}: fail the task`,
    );

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
    for (const field of ['rankSum', 'energyKept', 'energyTotal', 'residual', 'seconds'] as const) {
      if (!(Number.isFinite(got[field]) && got[field] >= 0))
        return bad(`${field} of ${got.name}`, got[field], 'a finite number that is not negative');
    }
  }
  const bytes = prefixBytes(layout, rank);
  if (result.bytes !== bytes) return bad('size', result.bytes, `${bytes} bytes`);
  const components = componentCount(layout);
  if (result.componentDigests.length !== components) {
    return bad('number of component digests', result.componentDigests.length, components);
  }
  return null;
}
