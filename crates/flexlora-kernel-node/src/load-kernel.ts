import type { Kernel } from './kernel.ts';
import { loadNativeAddon } from './native-addon.ts';
import { createNativeKernel, type NativeKernelOptions } from './native-kernel.ts';
import { createPortableKernel } from './portable-kernel.ts';

export interface LoadedKernel {
  readonly kernel: Kernel;
  /** One sentence for the log when the portable kernel stands in for an absent native one, else null. */
  readonly notice: string | null;
}

/** `threads` are the native kernel's: the portable one has one. */
export interface LoadKernelOptions extends NativeKernelOptions {
  /** Native by default. */
  readonly prefer?: Kernel['name'];
}

/** The native kernel where its addon can be loaded and nothing else is preferred, else the portable one. */
export function loadKernel({ prefer, ...options }: LoadKernelOptions = {}): LoadedKernel {
  const portable = (): Kernel =>
    createPortableKernel({ ...(options.memoryBytes !== undefined && { memoryBytes: options.memoryBytes }) });
  if (prefer === 'portable') return { kernel: portable(), notice: null };
  const lookup = loadNativeAddon(options.addonFile);
  if (lookup.kind === 'loaded') return { kernel: createNativeKernel(options), notice: null };
  const notice = `The portable kernel is used, which is slower, because ${lookup.reason}: install Rust and run npm run build:kernel.`;
  return { kernel: portable(), notice };
}
