import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { KernelPlan, KernelTerm, SumRequest } from './kernel.ts';
import type { Outcome, PlainRefusal } from './outcome.ts';

/** What `flexlora-kernel-node` exports. The only file that loads the addon. */
export interface NativeAddon {
  readonly NativeSum: new (request: PlainSumRequest, machine: NativeMachine) => NativeSum;
  /** A budget of threads, at least 1, for all sums that are given it. */
  readonly NativeMachine: new (
    threads: number,
  ) => NativeMachine;
  readonly Cancellation: new () => NativeCancellation;
  /** Float32 operations a second. */
  readonly measuredPeak: (threads: number) => Promise<number>;
}

export interface PlainSumRequest extends SumRequest {
  /** Bytes that the sum may hold at most. */
  readonly memoryBytes: number;
}

/** Opaque: nothing can be asked of it. */
export type NativeMachine = object;

/** One call at a time. */
export interface NativeSum {
  /** Why there is no sum, or null. */
  readonly refusal: PlainRefusal | null;
  /** null where there is no sum. */
  readonly plan: KernelPlan | null;
  add(terms: readonly KernelTerm[], cancellation: NativeCancellation): Promise<Outcome>;
  truncate(cancellation: NativeCancellation): Promise<Outcome>;
  release(): void;
}

export interface NativeCancellation {
  cancel(): void;
}

export type NativeAddonLookup =
  | { readonly kind: 'loaded'; readonly addon: NativeAddon }
  | { readonly kind: 'absent'; readonly reason: string };

const ADDON_FILE = fileURLToPath(new URL('../flexlora-kernel.node', import.meta.url));

export function loadNativeAddon(file: string = ADDON_FILE): NativeAddonLookup {
  if (!existsSync(file)) return { kind: 'absent', reason: 'the native addon is not built' };
  try {
    const addon: Partial<NativeAddon> = createRequire(import.meta.url)(file);
    // measuredPeak is the youngest of them: an addon without it was built from other sources.
    if (typeof addon.measuredPeak !== 'function') {
      return { kind: 'absent', reason: 'the native addon is of another version' };
    }
    return { kind: 'loaded', addon: addon as NativeAddon };
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split('\n');
    return { kind: 'absent', reason: `the native addon cannot be loaded (${line})` };
  }
}
