import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { isRefusal } from '@flexlora/core';
import { loadKernel } from '@flexlora/kernel';
import { openAdapterDirectory } from './adapter-directory.ts';
import { bytesOf, type Fixture, MIX, temporaryDirectory, writeFixture } from './adapter-fixture.ts';
import { inOrderOfContent } from './adapter-order.ts';
import { aggregateAdapters } from './aggregate-adapters.ts';
import { ENDS_BYTES } from './limits.ts';

const portable = loadKernel({ prefer: 'portable' });
const native = loadKernel({ prefer: 'native' });
const weights = (site: string) => join(site, 'adapter_model.safetensors');

/** Of B's 40,000 × 2 and A's 2 × 9 values in F32, so that the middle lies far from either end. */
const LONG: Fixture = {
  seed: 4,
  config: { r: 2, lora_alpha: 4, target_modules: ['q_proj'] },
  modules: [{ name: 'model.layers.0.self_attn.q_proj', out: 40_000, in: 9, rank: 2, scaling: 2 }],
};

/** Sums in float32, so that another order gives other last bits. */
const SENSITIVE = { tolerance: 1.001, method: 'accumulated' } as const;

/** Three adapters that differ in the middle of their data alone, and a twin of the second. */
async function alike(test: TestContext) {
  const home = await temporaryDirectory(test);
  const sites = [];
  for (const index of [0, 1, 2]) {
    const site = await writeFixture(join(home, `site-${index}`), LONG);
    const file = await readFile(weights(site));
    const middle = 4 * Math.floor(file.byteLength / 8);
    assert.ok(middle > ENDS_BYTES + 4_096 && file.byteLength - middle > ENDS_BYTES + 4_096);
    for (let k = 0; k < 500; k++) file.writeFloatLE(Math.sin(k * (index + 1.3)), middle + 4 * k);
    await writeFile(weights(site), file);
    sites.push(site);
  }
  await cp(sites[1]!, join(home, 'twin'), { recursive: true });
  return { home, sites: [...sites, join(home, 'twin')] };
}

async function open(sites: readonly string[], samples = 5) {
  const adapters = [];
  for (const site of sites) {
    const adapter = await openAdapterDirectory(site);
    assert.ok(!isRefusal(adapter), isRefusal(adapter) ? adapter.message : '');
    adapters.push({ adapter, samples });
  }
  return adapters;
}

async function contentsInOrder(sites: readonly string[]): Promise<readonly string[]> {
  const ordered = await inOrderOfContent(await open(sites), undefined);
  assert.ok(!isRefusal(ordered));
  const contents = ordered.map(({ adapter }) => readFile(weights(adapter.directory)));
  return (await Promise.all(contents)).map((bytes) => createHash('sha256').update(bytes).digest('hex'));
}

/** All orders of 0 to 3. */
const ORDERS = [0, 1, 2, 3].flatMap((a) =>
  [0, 1, 2, 3].flatMap((b) =>
    [0, 1, 2, 3].flatMap((c) => (new Set([a, b, c]).size === 3 ? [[a, b, c, 6 - a - b - c]] : [])),
  ),
);

describe('inOrderOfContent', () => {
  it('is one order of adapters that differ in the middle of their data alone, however they are named', async (test) => {
    const { sites } = await alike(test);
    const first = await contentsInOrder(sites);
    assert.equal(new Set(first).size, 3);
    assert.equal(ORDERS.length, 24);
    for (const order of ORDERS) assert.deepEqual(await contentsInOrder(order.map((k) => sites[k]!)), first, `${order}`);
  });

  it('reads no more of adapters that differ at their ends, in their configurations or in their samples', async (test) => {
    const home = join(await temporaryDirectory(test), 'sites');
    const sites = await Promise.all(MIX.map((fixture, k) => writeFixture(join(home, `site-${k}`), fixture)));
    const other = { ...LONG, config: { ...LONG.config, lora_alpha: 8 } };
    const long = [
      await writeFixture(join(home, 'long'), LONG),
      await writeFixture(join(home, 'configured'), other),
      await writeFixture(join(home, 'sampled'), LONG),
    ];
    const [one, configured, sampled] = await open(long);
    const adapters = [...(await open(sites)), one!, configured!, { ...sampled!, samples: 6 }];
    await rm(home, { recursive: true });
    const ordered = await inOrderOfContent(adapters, undefined);
    const reversed = await inOrderOfContent(adapters.toReversed(), undefined);
    assert.ok(!isRefusal(ordered) && !isRefusal(reversed));
    assert.equal(new Set(ordered).size, 6);
    assert.deepEqual(ordered, reversed);
    await assert.rejects(inOrderOfContent([one!, { ...sampled!, samples: 5 }], undefined), /could not be read/);
  });

  for (const { kernel, notice } of [portable, native]) {
    const skip =
      kernel === native.kernel && kernel.name !== 'native' ? `the native kernel is not built: ${notice}` : false;
    it(`gives the ${kernel.name} kernel one sum, byte for byte, of adapters that are alike at their ends`, {
      skip,
    }, async (test) => {
      const { home, sites } = await alike(test);
      const made = [];
      for (const order of [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [2, 0, 3, 1],
      ]) {
        const out = join(home, `out-${made.length}`);
        const updates = order.map((k) => ({ directory: sites[k]!, samples: 5 }));
        const options = { updates, rank: 2, alpha: 2, strategy: 'flexlora', svdSplit: 'b', ...SENSITIVE, out } as const;
        const report = await aggregateAdapters(options, { kernel });
        assert.ok(!isRefusal(report), isRefusal(report) ? report.message : '');
        made.push(await bytesOf(out));
      }
      for (const bytes of made) assert.deepEqual(bytes, made[0]);
    });
  }
});
