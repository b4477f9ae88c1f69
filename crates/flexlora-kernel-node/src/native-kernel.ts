import { type Kernel, KernelError } from './kernel.ts';
import { loadNativeAddon, type NativeAddon } from './native-addon.ts';
import { answerOf, cancelled } from './outcome.ts';

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
  return {
    name: 'native',
    async truncate(request, signal) {
      if (signal?.aborted) throw cancelled(request.module);
      const cancellation = new addon.Cancellation();
      const onAbort = (): void => cancellation.cancel();
      signal?.addEventListener('abort', onAbort, { once: true });
      try {
        return answerOf(await addon.truncate(request, cancellation));
      } catch (cause) {
        if (cause instanceof KernelError) throw cause;
        throw new KernelError('internal', `module ${JSON.stringify(request.module)}: ${String(cause)}`, { cause });
      } finally {
        signal?.removeEventListener('abort', onAbort);
      }
    },
  };
}
