import { describe } from 'node:test';
import type { Kernel } from './kernel.ts';
import { batchCases } from './suite/batches.ts';
import { degenerateCases } from './suite/degenerate.ts';
import { exactnessCases } from './suite/exactness.ts';
import { refusalCases } from './suite/refusals.ts';

export { nativeSkipReason } from './suite/native-skip.ts';

/** What every kernel must do, whatever it is made of. Both kernels pass all of it. */
export function kernelSuite(name: string, createKernel: () => Kernel): void {
  let kernel: Kernel | null = null;
  const shared = (): Kernel => {
    kernel ??= createKernel();
    return kernel;
  };
  describe(`${name} kernel: exactness`, () => exactnessCases(shared));
  describe(`${name} kernel: batches`, () => batchCases(shared));
  describe(`${name} kernel: degenerate sums`, () => degenerateCases(shared));
  describe(`${name} kernel: refusals`, () => refusalCases(shared));
}
