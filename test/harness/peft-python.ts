import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const INSTALLED = join(root, '.cache', 'peft-venv', 'bin', 'python');

/**
 * A Python with torch, transformers and peft: the one that FLEXLORA_PEFT_PYTHON names, or the one that
 * `test/conformance/peft/install.sh .cache/peft-venv` makes. Where there is none: an error when `CI` or `FLEXLORA_REQUIRE_PEFT` is set, so
 * that no pipeline passes without these tests; elsewhere the reason to skip.
 */
export function findPeftPython():
  | { readonly python: string; readonly skip: false }
  | { readonly python: ''; readonly skip: string } {
  const python = process.env['FLEXLORA_PEFT_PYTHON'] || INSTALLED;
  const imports = existsSync(python) && spawnSync(python, ['-c', 'import torch, transformers, peft']).status === 0;
  if (imports) return { python, skip: false };
  const reason = `${python} is no Python with torch, transformers and peft: run test/conformance/peft/install.sh .cache/peft-venv, or set FLEXLORA_PEFT_PYTHON`;
  if (process.env['CI'] !== undefined || process.env['FLEXLORA_REQUIRE_PEFT'] === '1')
    throw new Error(`PEFT is required here, and ${reason}`);
  return { python: '', skip: reason };
}
