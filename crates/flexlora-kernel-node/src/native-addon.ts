import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import type { TruncateRequest } from './kernel.ts';
import type { Outcome } from './outcome.ts';

/** What `flexlora-kernel-node` exports. The only file that loads the addon. */
export interface NativeAddon {
  truncate(request: TruncateRequest, cancellation: NativeCancellation): Promise<Outcome>;
  readonly Cancellation: new () => NativeCancellation;
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
    if (typeof addon.truncate !== 'function' || typeof addon.Cancellation !== 'function') {
      return { kind: 'absent', reason: 'the native addon is of another version' };
    }
    return { kind: 'loaded', addon: addon as NativeAddon };
  } catch (error) {
    const [line] = String(error instanceof Error ? error.message : error).split('\n');
    return { kind: 'absent', reason: `the native addon cannot be loaded (${line})` };
  }
}
