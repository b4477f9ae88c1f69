import { type Kernel, KernelError, type KernelSum, type SumRequest } from './kernel.ts';
import { createKernelSum, truncateAtOnce } from './kernel-sum.ts';
import { loadNativeAddon, type NativeAddon, type NativeCancellation } from './native-addon.ts';
import { answerOf, checkOutcome, type Outcome } from './outcome.ts';

/**
 * The kernel in Rust. Every call runs on a thread of libuv's pool (`UV_THREADPOOL_SIZE`, 4 by default); it reads the factors where
 * they lie, so they must neither be written nor transferred until the promise settles. An abort takes effect at the call's next step.
 *
 * @throws {KernelError} `internal` where the addon is absent.
 */
export function createNativeKernel(addonFile?: string): Kernel {
  const lookup = loadNativeAddon(addonFile);
  if (lookup.kind === 'absent') {
    throw new KernelError('internal', `native kernel: ${lookup.reason}: install Rust and run npm run build:kernel`);
  }
  return kernelOf(lookup.addon);
}

function kernelOf(addon: NativeAddon): Kernel {
  const beginSum = (request: SumRequest): KernelSum => {
    const sum = new addon.NativeSum(request);
    checkOutcome(sum);
    return createKernelSum(request.module, {
      add: async (terms, signal) =>
        checkOutcome(await cancellable(addon, signal, (cancellation) => sum.add(terms, cancellation))),
      truncate: async (signal) =>
        answerOf(await cancellable(addon, signal, (cancellation) => sum.truncate(cancellation))),
      release: () => sum.release(),
    });
  };
  return { name: 'native', beginSum, truncate: (request, signal) => truncateAtOnce(beginSum, request, signal) };
}

async function cancellable(
  addon: NativeAddon,
  signal: AbortSignal,
  call: (cancellation: NativeCancellation) => Promise<Outcome>,
): Promise<Outcome> {
  const cancellation = new addon.Cancellation();
  const onAbort = (): void => cancellation.cancel();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await call(cancellation);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
