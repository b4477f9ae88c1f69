import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { loadNativeAddon } from '../native-addon.ts';

/**
 * Why the tests of the native kernel are skipped, or null when they must run. Only a machine that cannot build the addon may skip:
 * where cargo is there, an absent addon is a failure.
 */
export function nativeSkipReason(): string | null {
  if (loadNativeAddon().kind === 'loaded' || isCargoOnPath()) return null;
  return 'the native addon is not built and cargo is not on PATH: install Rust and run npm run build:kernel';
}

function isCargoOnPath(): boolean {
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => ['cargo', 'cargo.exe'].some((file) => existsSync(join(folder, file))));
}
