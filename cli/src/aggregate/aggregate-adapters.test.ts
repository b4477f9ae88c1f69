import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { factorValues, isRefusal } from '@flexlora/core';
import { type Kernel, loadKernel } from '@flexlora/kernel';
import { openAdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import {
  AS_EVER,
  bytesOf,
  denseProduct,
  denseSum,
  type Fixture,
  fixtureFactors,
  MIX,
  q,
  temporaryDirectory,
  up,
  writeFixture,
} from './adapter-fixture.ts';
import { aggregateAdapters } from './aggregate-adapters.ts';
import type { AggregateOptions } from './aggregate-options.ts';
import { bestOfRank, distance, norm } from './dense-oracle.ts';

const SAMPLES = [300, 1000, 50];
const TOLERANCE = 1e-5;

interface Run extends Partial<Omit<AggregateOptions, 'updates'>> {
  readonly rank: number;
  readonly fixtures?: readonly Fixture[];
  readonly samples?: readonly number[];
  /** Indices of the updates, as they are named. */
  readonly order?: readonly number[];
}

async function aggregate(test: TestContext, kernel: Kernel, run: Run) {
  const { fixtures = MIX, samples = SAMPLES, order = [...fixtures.keys()] } = run;
  const home = await temporaryDirectory(test);
  const updates = await Promise.all(
    fixtures.map(async (fixture, k) => ({
      directory: await writeFixture(join(home, `site-${k}`), fixture),
      samples: samples[k]!,
    })),
  );
  const out = join(home, 'made', 'here');
  const report = await aggregateAdapters(
    {
      strategy: 'flexlora',
      svdSplit: 'b',
      alpha: run.rank,
      ...AS_EVER,
      out,
      ...run,
      updates: order.map((k) => updates[k]!),
    },
    { kernel },
  );
  assert.ok(!isRefusal(report), isRefusal(report) ? report.message : '');
  return { report, out, home };
}

const native = loadKernel({ prefer: 'native' });
const portable = loadKernel({ prefer: 'portable' });
const kernels: readonly [string, Kernel, string | false][] = [
  ['portable', portable.kernel, false],
  [
    'native',
    native.kernel,
    native.kernel.name === 'native' ? false : `the native kernel is not built here: ${native.notice}`,
  ],
];

for (const [name, kernel, skip] of kernels) {
  describe(`aggregateAdapters on the ${name} kernel`, { skip }, () => {
    it('gives the best approximation of the weighted sum at every rank, with every adapter’s own rank and scaling', async (test) => {
      for (let rank = 1; rank <= 12; rank++) {
        const { out, report } = await aggregate(test, kernel, { rank });
        for (const { name: module, out: rows, in: cols } of [q, up]) {
          const sum = denseSum(MIX, SAMPLES, module);
          const { best, spectrum } = bestOfRank(sum, rank);
          const made = await denseProduct(out, module);
          assert.equal(made.rank, Math.min(rank, rows, cols));
          const error = distance(made.product, best) / norm(sum);
          assert.ok(error <= TOLERANCE, `${module} at rank ${rank}: error ${error}`);
          const kept = spectrum.slice(0, rank).reduce((all, x) => all + x * x, 0) / norm(sum) ** 2;
          const told = report.modules.find((each) => each.name === module)!;
          assert.ok(
            Math.abs(told.energy_kept - kept) <= TOLERANCE,
            `energy kept ${told.energy_kept} instead of ${kept}`,
          );
        }
      }
    });

    it('gives the same sum under every split and alpha', async (test) => {
      const sum = denseSum(MIX, SAMPLES, up.name);
      const { best } = bestOfRank(sum, 3);
      for (const svdSplit of ['b', 'a', 'even'] as const) {
        for (const alpha of [3, 0.5, 48]) {
          const { out } = await aggregate(test, kernel, { rank: 3, svdSplit, alpha });
          const made = await denseProduct(out, up.name);
          assert.equal(made.scaling, alpha / 3);
          assert.ok(distance(made.product, best) <= TOLERANCE * norm(sum), `${svdSplit} with alpha ${alpha}`);
        }
      }
    });

    it('keeps one scaling in all modules, also where one is too small for the wanted rank', async (test) => {
      const { out } = await aggregate(test, kernel, { rank: 10, alpha: 20 });
      const config = JSON.parse(await readFile(join(out, 'adapter_config.json'), 'utf8'));
      assert.deepEqual([config.r, config.lora_alpha], [10, 20]);
      assert.deepEqual([config.rank_pattern, config.alpha_pattern], [{ [q.name]: 9 }, { [q.name]: 18 }]);
      assert.equal((await denseProduct(out, q.name)).scaling, 2);
    });

    it('gives one adapter back as it was', async (test) => {
      const { out } = await aggregate(test, kernel, { rank: 8, fixtures: [MIX[2]!], samples: [7] });
      for (const module of [q.name, up.name]) {
        const sum = denseSum([MIX[2]!], [7], module);
        assert.ok(distance((await denseProduct(out, module)).product, sum) <= TOLERANCE * norm(sum));
      }
    });

    it('leaves out an adapter without samples', async (test) => {
      const { out } = await aggregate(test, kernel, { rank: 6, samples: [300, 0, 50] });
      const without = await aggregate(test, kernel, { rank: 6, fixtures: [MIX[0]!, MIX[2]!], samples: [300, 50] });
      const sum = denseSum(MIX, [300, 0, 50], q.name);
      assert.ok(distance((await denseProduct(out, q.name)).product, bestOfRank(sum, 6).best) <= TOLERANCE * norm(sum));
      assert.deepEqual((await denseProduct(out, q.name)).product, (await denseProduct(without.out, q.name)).product);
    });

    it('gives the same bytes in whatever order the adapters are named', async (test) => {
      const made = [];
      for (const order of [
        [0, 1, 2],
        [2, 1, 0],
        [1, 0, 2],
        [1, 2, 0],
      ])
        made.push(await bytesOf((await aggregate(test, kernel, { rank: 5, order })).out));
      for (const bytes of made.slice(1)) assert.deepEqual(bytes, made[0]);
    });

    it('leaves components trainable that the sum does not have', async (test) => {
      const { out } = await aggregate(test, kernel, { rank: 6, fixtures: [MIX[0]!], samples: [1] });
      const { product } = await denseProduct(out, q.name);
      assert.ok(distance(product, denseSum([MIX[0]!], [1], q.name)) <= TOLERANCE * norm(product));
      const adapter = await openAdapterDirectory(out);
      assert.ok(!isRefusal(adapter));
      const factors = await readModuleFactors(adapter, [...adapter.modules.keys()].find((each) => each === q.name)!);
      assert.ok(!isRefusal(factors));
      const a = factorValues(factors.a);
      for (let j = 0; j < 6; j++)
        assert.ok(
          Math.abs(Math.hypot(...a.subarray(j * q.in, (j + 1) * q.in)) - 1) < 1e-5,
          `row ${j} of A has unit length`,
        );
    });

    it('reports zero adapters as kept whole', async (test) => {
      const silent: Fixture = { ...MIX[0]!, modules: MIX[0]!.modules.map((module) => ({ ...module, scaling: 0 })) };
      const home = await temporaryDirectory(test);
      await writeFixture(join(home, 'zero'), silent);
      const path = join(home, 'zero', 'adapter_model.safetensors');
      const file = await readFile(path);
      await writeFile(path, file.fill(0, 8 + Number(file.readBigUInt64LE(0))));
      const options = {
        strategy: 'flexlora',
        svdSplit: 'b',
        alpha: 3,
        rank: 3,
        ...AS_EVER,
        out: join(home, 'out'),
      } as const;
      const report = await aggregateAdapters(
        { ...options, updates: [{ directory: join(home, 'zero'), samples: 1 }] },
        { kernel },
      );
      assert.ok(!isRefusal(report));
      assert.deepEqual([report.energy_kept, report.energy_total, report.residual_max], [1, 0, 0]);
      assert.equal(norm((await denseProduct(options.out, up.name)).product), 0);
    });

    it('averages the factors apart with fedavg and, after zero padding, with hetlora', async (test) => {
      const equal = MIX.map((fixture) => ({
        ...fixture,
        config: { r: 3, lora_alpha: 6 },
        modules: fixture.modules.map((module) => ({ ...module, rank: 3, scaling: 2 })),
      }));
      const fedavg = await aggregate(test, kernel, { rank: 3, fixtures: equal, strategy: 'fedavg' });
      const hetlora = await aggregate(test, kernel, { rank: 3, fixtures: equal, strategy: 'hetlora' });
      const { best } = meanFactors(equal);
      for (const { out } of [fedavg, hetlora]) {
        assert.ok(distance((await denseProduct(out, q.name)).product, best) <= TOLERANCE * norm(best));
      }
    });

    it('says what it made and leaves nothing beside it', async (test) => {
      const { report, out, home } = await aggregate(test, kernel, { rank: 4 });
      assert.deepEqual([report.kernel, report.updates, report.samples, report.rank], [kernel.name, 3, 1350, 4]);
      assert.deepEqual(
        report.modules.map((module) => [module.name, module.rank_sum]),
        [
          [up.name, 14],
          [q.name, 11],
        ],
      );
      assert.ok(report.energy_kept > 0.5 && report.energy_kept < 1 && report.peak_memory_bytes > 1 << 20);
      assert.deepEqual((await readdir(out)).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
      assert.deepEqual(await readdir(join(home, 'made')), ['here']);
    });

    it('stops when it is cancelled, and leaves nothing', async (test) => {
      const home = await temporaryDirectory(test);
      const directory = await writeFixture(join(home, 'site'), MIX[0]!);
      const signal = AbortSignal.abort(new Error('enough'));
      const options = {
        strategy: 'flexlora',
        svdSplit: 'b',
        alpha: 2,
        rank: 2,
        ...AS_EVER,
        out: join(home, 'made', 'here'),
      } as const;
      await assert.rejects(aggregateAdapters({ ...options, updates: [{ directory, samples: 1 }] }, { kernel, signal }));
      assert.deepEqual(await readdir(home), ['site']);
    });
  });
}

describe('aggregateAdapters', () => {
  it('sums in an order that follows from the adapters, not from how they are named: the kernel may depend on it', async (test) => {
    const orders = [];
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 2, 0],
    ]) {
      const seen: string[] = [];
      const recording: Kernel = {
        name: 'portable',
        truncate: portable.kernel.truncate,
        beginSum: (request) => {
          const sum = portable.kernel.beginSum(request);
          return {
            ...sum,
            add: (terms, signal) => {
              seen.push(...terms.map(({ label }) => basename(label)));
              return sum.add(terms, signal);
            },
          };
        },
      };
      await aggregate(test, recording, { rank: 2, order });
      orders.push(seen);
    }
    assert.equal(orders[0]!.length, 6);
    for (const seen of orders.slice(1)) assert.deepEqual(seen, orders[0]);
  });
});

/** 2 · (Σ w_k B_k)(Σ w_k A_k) of `q` at rank 3. */
function meanFactors(fixtures: readonly Fixture[]) {
  const total = SAMPLES.reduce((sum, n) => sum + n, 0);
  const b = new Float64Array(q.out * 3);
  const a = new Float64Array(3 * q.in);
  for (const [k, fixture] of fixtures.entries()) {
    const factors = fixtureFactors(fixture, fixture.modules[0]!);
    for (const [i, value] of factors.b.entries()) b[i]! += (SAMPLES[k]! / total) * value;
    for (const [i, value] of factors.a.entries()) a[i]! += (SAMPLES[k]! / total) * value;
  }
  const product = { rows: q.out, cols: q.in, values: new Float64Array(q.out * q.in) };
  for (let i = 0; i < q.out; i++)
    for (let j = 0; j < 3; j++)
      for (let k = 0; k < q.in; k++) product.values[i * q.in + k]! += 2 * b[i * 3 + j]! * a[j * q.in + k]!;
  return { best: product };
}
