import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { loadKernel } from '@flexlora/kernel';
import { findPeftPython } from '../../harness/peft-python.ts';

/** `flexlora aggregate` against PEFT's own `add_weighted_adapter(combination_type="svd")`, on adapters that PEFT saved, read back by PEFT. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LAUNCHER = join(ROOT, 'cli/bin/flexlora.mjs');
const SCRIPT = fileURLToPath(new URL('compare_with_peft.py', import.meta.url));
const { python: PYTHON, skip } = findPeftPython();
/** PEFT works in f32, and so does its SVD. */
const TOLERANCE = 1e-4;
const SAMPLES = [500, 12_000, 90, 3_500];
/** From one component to more than the smallest module has (32). */
const RANKS = [1, 6, 20, 40];
/** Importing torch takes ten seconds on a cold disk. */
const PROCESS_MS_MAX = 300_000;

interface Comparison {
  readonly modules: Readonly<
    Record<string, { readonly difference: number; readonly rank: number; readonly scaling: number }>
  >;
  readonly unexpected: readonly string[];
}

async function run(file: string, ...args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(file, args, { timeout: PROCESS_MS_MAX })).stdout;
}

const native = loadKernel({ prefer: 'native' });
const kernels = [
  ['portable', false],
  ['native', native.kernel.name === 'native' ? false : `the native kernel is not built here: ${native.notice}`],
] as const;

describe('flexlora aggregate and PEFT', { skip }, () => {
  let home = '';

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'flexlora-peft-'));
    await run(PYTHON, SCRIPT, 'make', home);
  });

  after(async () => {
    if (home !== '') await rm(home, { recursive: true });
  });

  for (const [kernel, skipKernel] of kernels) {
    it(`agree on adapters of mixed ranks, alphas and scalings: ${kernel} kernel`, { skip: skipKernel }, async () => {
      const updates = SAMPLES.flatMap((samples, k) => ['--update', `${join(home, `site-${k}`)}=${samples}`]);
      const place = join(home, kernel);
      for (const [i, rank] of RANKS.entries()) {
        const split = ['b', 'a', 'even'][i % 3]!;
        const options = ['--rank', `${rank}`, '--alpha', `${2 * rank}`, '--svd-split', split, '--kernel', kernel];
        await run(
          process.execPath,
          LAUNCHER,
          'aggregate',
          ...updates,
          ...options,
          '--out',
          join(place, `rank-${rank}`),
        );
      }
      const numbers = [SAMPLES.join(','), RANKS.join(',')];
      const answer: Readonly<Record<string, Comparison>> = JSON.parse(
        await run(PYTHON, SCRIPT, 'compare', home, place, ...numbers),
      );
      for (const rank of RANKS) {
        const { modules, unexpected } = answer[rank]!;
        assert.deepEqual(unexpected, [], 'PEFT knows every tensor of the file');
        assert.equal(Object.keys(modules).length, 6);
        for (const [name, { difference, ...made }] of Object.entries(modules)) {
          assert.ok(difference <= TOLERANCE, `${name} at rank ${rank} differs by ${difference}`);
          assert.deepEqual(made, { rank: name.endsWith('v_proj') ? Math.min(rank, 32) : rank, scaling: 2 });
        }
      }
    });
  }
});
