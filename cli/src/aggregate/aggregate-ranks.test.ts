import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isRefusal } from '@flexlora/core';
import { loadKernel } from '@flexlora/kernel';
import { openAdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import { AS_EVER, bytesOf, type Fixture, MIX, q, temporaryDirectory, up, writeFixture } from './adapter-fixture.ts';
import { aggregateAdapters } from './aggregate-adapters.ts';
import type { AggregateOptions } from './aggregate-options.ts';

const { kernel } = loadKernel({ prefer: 'portable' });

async function aggregate(
  test: TestContext,
  fixtures: readonly Fixture[],
  options: Pick<AggregateOptions, 'rank' | 'strategy'>,
) {
  const home = await temporaryDirectory(test);
  const updates = await Promise.all(
    fixtures.map(async (fixture, k) => ({
      directory: await writeFixture(join(home, `site-${k}`), fixture),
      samples: k + 1,
    })),
  );
  const out = join(home, 'out');
  const answer = await aggregateAdapters(
    { ...options, updates, out, alpha: options.rank, svdSplit: 'b', ...AS_EVER },
    { kernel },
  );
  return isRefusal(answer) ? answer : { kind: 'written' as const, out };
}

describe('aggregateAdapters at a rank above that of the sum', () => {
  const wide = { rank: 6, strategy: 'flexlora' } as const;

  it('gives the same bytes twice, also in the rows that the sum does not have', async (test) => {
    const [once, twice] = [await aggregate(test, [MIX[0]!], wide), await aggregate(test, [MIX[0]!], wide)];
    assert.ok(!isRefusal(once) && !isRefusal(twice));
    assert.deepEqual(await bytesOf(once.out), await bytesOf(twice.out));
  });

  it('has rows there that depend on the seed, which is the module’s, so that the test above can fail', async (test) => {
    const twins = [q.name, 'model.layers.1.self_attn.q_proj'].map((name) => ({ ...q, name, rank: 2, scaling: 1 }));
    const answer = await aggregate(test, [{ seed: 1, config: { r: 2, lora_alpha: 2 }, modules: twins }], wide);
    assert.ok(!isRefusal(answer));
    const adapter = await openAdapterDirectory(answer.out);
    assert.ok(!isRefusal(adapter));
    const rows = [];
    for (const name of adapter.modules.keys()) {
      const factors = await readModuleFactors(adapter, name);
      assert.ok(!isRefusal(factors));
      const own = 2 * q.in * Float32Array.BYTES_PER_ELEMENT;
      rows.push({ own: factors.a.bytes.slice(0, own), completed: factors.a.bytes.slice(own) });
    }
    assert.deepEqual(rows[0]!.own, rows[1]!.own);
    assert.notDeepEqual(rows[0]!.completed, rows[1]!.completed);
  });
});

describe('aggregateAdapters of adapters with one r and different rank_pattern', () => {
  /** q at this rank by rank_pattern, and up at r = 4. */
  const patterned = (seed: number, rank: number): Fixture => ({
    seed,
    config: { r: 4, lora_alpha: 4, rank_pattern: { q_proj: rank }, alpha_pattern: { q_proj: rank } },
    modules: [
      { ...q, rank, scaling: 1 },
      { ...up, rank: 4, scaling: 1 },
    ],
  });

  it('refuses fedavg by the ranks of the module, not by r', async (test) => {
    const answer = await aggregate(test, [patterned(1, 2), patterned(2, 3)], { rank: 4, strategy: 'fedavg' });
    assert.ok(isRefusal(answer), 'expected a refusal');
    assert.equal(answer.reason, 'rankOutOfRange');
    assert.match(answer.message, /fedavg: rank of .*site-[01] is [23], of .*site-[01] [23]/);
  });

  it('takes fedavg where the ranks of each module are equal', async (test) => {
    const answer = await aggregate(test, [patterned(1, 2), patterned(2, 2)], { rank: 4, strategy: 'fedavg' });
    assert.equal(answer.kind, 'written');
  });
});
