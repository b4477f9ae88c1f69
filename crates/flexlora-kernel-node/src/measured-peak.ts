import { checkWhole } from './check-whole.ts';
import { KernelError } from './kernel.ts';
import { loadNativeAddon } from './native-addon.ts';

export interface MeasuredPeakOptions {
  /** Where the addon lies, if not beside this package. */
  readonly addonFile?: string;
}

/**
 * What the native kernel's innermost loop reaches with so many threads when nothing has to be fetched: float32 operations a second, a multiplication
 * and an addition counting as two; the best of a few trials, about 10 ms off the event loop. null where the addon is absent (`loadKernel`
 * says why): the portable kernel has no such loop.
 *
 * @throws {KernelError} `internal` where the system gives fewer threads.
 * @throws {RangeError} for threads that are no whole number from 1.
 */
export async function measuredPeak(threads: number, { addonFile }: MeasuredPeakOptions = {}): Promise<number | null> {
  checkWhole('threads', threads);
  const lookup = loadNativeAddon(addonFile);
  if (lookup.kind === 'absent') return null;
  try {
    return await lookup.addon.measuredPeak(threads);
  } catch (cause) {
    throw new KernelError('internal', `native kernel: ${threads} threads: ${String(cause)}: ask for fewer`, { cause });
  }
}
