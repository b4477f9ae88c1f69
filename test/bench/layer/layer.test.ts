import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { HEAVY_TAIL } from '../factors/client-mix.ts';
import { createDenseReference } from '../kernel/dense-reference.ts';
import { describeMachine } from '../machine/describe-machine.ts';
import { benchLayer } from './bench-layer.ts';
import { distinctShapes, extrapolateLayers, extrapolateReference } from './extrapolate.ts';
import { LAYER_MODULES, type LayerModule } from './layer-modules.ts';
import { parseLayerBenchArguments } from './layer-options.ts';
import { layerTable } from './layer-table.ts';
import { checkRoom, factorBytesOf } from './made-adapters.ts';

const modules: readonly LayerModule[] = [
  { name: 'model.layers.0.self_attn.q_proj', out: 24, in: 24 },
  { name: 'model.layers.0.self_attn.v_proj', out: 24, in: 24 },
  { name: 'model.layers.0.mlp.up_proj', out: 32, in: 24 },
];
const CLIENTS = 12;

async function temporaryFolder(test: { after(remove: () => Promise<void>): void }): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flexlora-layer-test-'));
  test.after(() => rm(folder, { recursive: true }));
  return folder;
}

const optionsIn = (folder: string, parts: string) =>
  parseLayerBenchArguments([
    ...['--clients', `${CLIENTS}`, '--bytes-clients', '5', '--rank', '8', '--threads', '1'],
    ...['--parts', parts, '--reference', 'none', '--folder', folder, '--out', folder],
  ])!;
const deps = {
  modules,
  machine: describeMachine(),
  peak: { operationsPerSecond: 1e9, threads: 1, measuredBy: 'the test' },
  reference: createDenseReference({ form: 2, svd: 3 }),
  signal: new AbortController().signal,
};

describe('the layer benchmark', () => {
  it('aggregates made adapters, compares the bytes of every way, and removes what it made', async (test) => {
    const folder = await temporaryFolder(test);
    const report = await benchLayer(optionsIn(folder, 'time,bytes,reference'), deps);
    assert.deepEqual(await readdir(folder), []);

    const { aggregate, modules: alone, bytes, reference } = report;
    assert.equal(aggregate!.report.updates, CLIENTS);
    assert.deepEqual(
      aggregate!.report.modules.map(({ name, rank_sum }) => [name, rank_sum]).sort(),
      modules.map(({ name }) => [name, report.rankSum]).sort(),
    );
    assert.ok(aggregate!.peakBytes >= aggregate!.report.peak_memory_bytes);
    assert.deepEqual(
      alone!.map(({ name }) => name),
      [modules[0]!.name, modules[2]!.name],
    );
    assert.ok(alone!.every(({ addSeconds, operations }) => addSeconds > 0 && operations > 0));
    assert.equal(bytes!.variants.length, 6);
    for (const { name, isSame } of bytes!.variants) assert.ok(isSame, `${name}: other bytes`);
    // 12 of 20 clients at both shapes: 3 modules, each 2 s · 12 / 20 and 3 s.
    assert.equal(reference!.seconds.toFixed(6), (3 * (1.2 + 3)).toFixed(6));
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);

    const table = layerTable(report);
    for (const text of [
      '12 adapters',
      'q_proj',
      'up_proj',
      '4 worker processes',
      ' yes |',
      'Extrapolated to 32 layers',
    ])
      assert.ok(table.includes(text), `no "${text}" in\n${table}`);
    assert.doesNotMatch(table, /NaN|undefined|Infinity|\*\*no\*\*/);
  });

  it('removes what it made when it is stopped', async (test) => {
    const folder = await temporaryFolder(test);
    const stop = new AbortController();
    const onStep = (step: string) => step.includes('flexlora aggregate') && stop.abort();
    const stopped = benchLayer(optionsIn(folder, 'time'), { ...deps, signal: stop.signal, onStep });
    await assert.rejects(stopped, { name: 'AbortError' });
    assert.deepEqual(await readdir(folder), []);
  });

  it('refuses a disk without room, with numbers', async () => {
    await assert.rejects(checkRoom(tmpdir(), 2 ** 60), /has .* GiB free; needed: 107374\d+\.\d GiB: make room/);
  });
});

describe('the extrapolation', () => {
  it('gives every worker whole modules', () => {
    const { byWorkers } = extrapolateLayers(70, 7, 32);
    assert.deepEqual(byWorkers, [
      { workers: 1, seconds: 2240 },
      { workers: 2, seconds: 1120 },
      { workers: 4, seconds: 560 },
      { workers: 8, seconds: 280 },
    ]);
    // Three modules over two workers: one has two of them.
    assert.equal(extrapolateLayers(30, 3, 1).byWorkers[1]!.seconds, 20);
  });

  it('takes the reference at every shape, by the number of clients and modules', () => {
    const pieces = distinctShapes(LAYER_MODULES).map(({ out, in: columns }) => ({
      ...{ out, in: columns, clients: 20 },
      formSeconds: 2,
      svdSeconds: 10,
    }));
    assert.equal(pieces.length, 3);
    assert.equal(extrapolateReference(pieces, LAYER_MODULES, 1000), 7 * (100 + 10));
    assert.throws(() => extrapolateReference(pieces.slice(1), LAYER_MODULES, 1000), /4096 × 4096/);
  });

  it('is of a layer whose adapters have the size that the help says', () => {
    const bytes = factorBytesOf(LAYER_MODULES, { name: 'heavy', clients: 1000, cycle: HEAVY_TAIL });
    assert.equal((bytes / 2 ** 30).toFixed(1), '4.3');
  });
});
