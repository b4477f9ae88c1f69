import { availableParallelism } from 'node:os';
import { checkWhole } from './check-whole.ts';
import { type Kernel, KernelError, type KernelSum, MEMORY_BYTES, type SumRequest } from './kernel.ts';
import { createKernelSum, truncateAtOnce } from './kernel-sum.ts';
import { loadNativeAddon, type NativeAddon, type NativeCancellation, type NativeMachine } from './native-addon.ts';
import { answerOf, checkOutcome, type Outcome } from './outcome.ts';

export interface NativeKernelOptions {
  /** Where the addon lies, if not beside this package. */
  readonly addonFile?: string;
  /** That all calls of this kernel share, at least 1; every core of the machine where absent. They decide how long a call takes, never its bytes. */
  readonly threads?: number;
  /** That one sum may hold at most; `MEMORY_BYTES` where absent. It takes part in the choice of the method: another value may give other last bits. */
  readonly memoryBytes?: number;
}

/**
 * The kernel in Rust. Every call runs on a thread of libuv's pool (`UV_THREADPOOL_SIZE`, 4 by default) and on threads of its own; it reads
 * the factors where they lie, so they must neither be written nor transferred until the promise settles (for the methods that iterate, until that of
 * `truncate` does). An abort takes effect at the call's next step.
 *
 * @throws {KernelError} `internal` where the addon is absent, or the system gives fewer threads.
 * @throws {RangeError} for threads or bytes that are no whole number from 1.
 */
export function createNativeKernel(options: NativeKernelOptions = {}): Kernel {
  const { addonFile, threads = availableParallelism(), memoryBytes = MEMORY_BYTES } = options;
  checkWhole('threads', threads);
  checkWhole('memoryBytes', memoryBytes);
  const lookup = loadNativeAddon(addonFile);
  if (lookup.kind === 'absent') {
    throw new KernelError('internal', `native kernel: ${lookup.reason}: install Rust and run npm run build:kernel`);
  }
  return kernelOf(lookup.addon, machineOf(lookup.addon, threads), memoryBytes);
}

function machineOf(addon: NativeAddon, threads: number): NativeMachine {
  try {
    return new addon.NativeMachine(threads);
  } catch (cause) {
    throw new KernelError('internal', `native kernel: ${threads} threads: ${String(cause)}: ask for fewer`, { cause });
  }
}

function kernelOf(addon: NativeAddon, machine: NativeMachine, memoryBytes: number): Kernel {
  const beginSum = (request: SumRequest): KernelSum => {
    const sum = new addon.NativeSum({ ...request, memoryBytes }, machine);
    checkOutcome(sum);
    return createKernelSum(request.module, sum.plan!, {
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
