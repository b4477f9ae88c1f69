import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  Fault,
  factorValues,
  isRefusal,
  type ModuleSpec,
  moduleRank,
  parsePeftConfig,
  parseSafetensorsHeader,
  readFactorEntries,
  safetensorsDataAt,
} from '@flexlora/core';
import type { AgentEvent } from '../agent-event.ts';
import { startAgent, withPlatform } from '../testing/agent-under-test.ts';
import { fakeComponents, RANKS, SPEC } from '../testing/fake-adapter.ts';
import { createFakePlatform } from '../testing/fake-platform.ts';
import { createScriptedTrainer } from '../testing/scripted-trainer.ts';

test('the adapter is handed to the trainer at the ranks and the scaling of the agent: its product is the sum of the first components', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    const trainer = createScriptedTrainer();
    await startAgent(platform, trainer, workDirectory).ended;

    const config = parsePeftConfig(
      await readFile(join(trainer.trainings[0]!.adapterIn, 'adapter_config.json'), 'utf8'),
    );
    assert.ok(!isRefusal(config));
    assert.equal(config.alpha, 6);
    // The scripted trainer hands back what it got.
    const products = productsOf(platform.seen.accepted.get(1)!);
    assert.equal(products.size, SPEC.modules.length);
    for (const [name, product] of expectedProducts(0)) {
      const got = products.get(name)!;
      assert.equal(got.length, product.length);
      for (const [index, value] of product.entries()) {
        assert.ok(Math.abs(got[index]! - value) < 1e-5, `${name}[${index}] is ${got[index]}, expected ${value}`);
      }
    }
  });
});

test('a component that is not what its digest says is fetched again, and nothing before it', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let broken = 0;
    platform.faults.downloadChunk = (_offset, bytes) => {
      broken += 1;
      if (broken === 4) bytes[0]! ^= 1;
      return bytes;
    };
    const agent = startAgent(platform, createScriptedTrainer(), workDirectory);
    assert.equal(await agent.ended, 'completed');
    // The fourth chunk, bytes 768 to 1,023, lies in the second component: one has (48 + 32 + 3 + 32) × 4 bytes.
    assert.deepEqual(
      platform.seen.downloads.map(({ offset }) => offset),
      [0, 460],
    );
    assert.equal(agent.events.filter(({ kind }) => kind === 'retrying').length, 1);
  });
});

test('an adapter that stays broken is reported, and the agent goes on with the next round', async () => {
  const platform = createFakePlatform({ rounds: 2 });
  await withPlatform(platform, async (workDirectory) => {
    platform.faults.downloadChunk = (_offset, bytes) => {
      if (platform.seen.failures.length === 0) bytes[0]! ^= 1;
      return bytes;
    };
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory).ended, 'completed');
    assert.match(platform.seen.failures[0]!.reason, /component at byte 0 is not what its digest says, 5 times/);
    assert.deepEqual([...platform.seen.accepted.keys()], [2]);
  });
});

test('a download that breaks off goes on from the last whole component', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let sent = 0;
    platform.faults.downloadChunk = (_offset, bytes) => {
      sent += 1;
      if (sent === 3) throw new Fault('cut');
      return bytes;
    };
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory).ended, 'completed');
    assert.deepEqual(
      platform.seen.downloads.map(({ offset }) => offset),
      [0, 460],
    );
  });
});

test('a download that moves on between its breaks waits after each as after the first', async () => {
  const platform = createFakePlatform({ rounds: 1 });
  await withPlatform(platform, async (workDirectory) => {
    let cuts = 0;
    let sent = 0;
    platform.faults.downloadChunk = (_offset, bytes) => {
      sent += 1;
      if (sent % 4 !== 0 || cuts === 3) return bytes;
      cuts += 1;
      throw new Fault('cut');
    };
    const waits: number[] = [];
    const heard = (event: AgentEvent): void => {
      if (event.kind === 'retrying' && event.what === 'download') waits.push(event.waitMs);
    };
    assert.equal(await startAgent(platform, createScriptedTrainer(), workDirectory, { heard }).ended, 'completed');
    assert.equal(waits.length, 3);
    assert.equal(new Set(waits).size, 1, `it waited ${waits} ms`);
    assert.equal(new Set(platform.seen.downloads.map(({ offset }) => offset)).size, 4);
  });
});

test('a download that an earlier process began goes on from the last whole component', async () => {
  const before = createFakePlatform({ rounds: 1 });
  await withPlatform(before, async (workDirectory) => {
    let sent = 0;
    before.faults.downloadChunk = (_offset, bytes) => {
      sent += 1;
      if (sent >= 3) throw new Fault('cut');
      return bytes;
    };
    const stopped = startAgent(before, createScriptedTrainer(), workDirectory);
    await stopped.told('retrying', ({ what }) => what === 'download');
    stopped.stop();
    assert.equal(await stopped.ended, 'stopped');

    const after = createFakePlatform({ rounds: 1 });
    await withPlatform(after, async () => {
      assert.equal(await startAgent(after, createScriptedTrainer(), workDirectory).ended, 'completed');
      assert.deepEqual(
        after.seen.downloads.map(({ offset }) => offset),
        [460],
      );
    });
  });
});

test('an adapter that is on disk is used as it is, when the layout proves that it is the one that is meant', async () => {
  const before = createFakePlatform({ rounds: 1 });
  await withPlatform(before, async (workDirectory) => {
    const stopped = startAgent(before, createScriptedTrainer(['hang']), workDirectory);
    await stopped.told('training');
    stopped.stop();
    await stopped.ended;

    const after = createFakePlatform({ rounds: 2 });
    await withPlatform(after, async () => {
      const agent = startAgent(after, createScriptedTrainer(), workDirectory);
      assert.equal(await agent.ended, 'completed');
      const downloaded = new Set(agent.events.flatMap((event) => (event.kind === 'downloading' ? [event.round] : [])));
      assert.deepEqual([...downloaded], [2]);
      assert.deepEqual(
        after.seen.downloads.map(({ version }) => version),
        [0, 1],
      );
    });
  });
});

function productsOf(file: Buffer): ReadonlyMap<string, Float64Array> {
  const dataAt = safetensorsDataAt(file.subarray(0, 8));
  assert.ok(typeof dataAt === 'number');
  const header = parseSafetensorsHeader(file.subarray(0, dataAt), file.byteLength);
  assert.ok(!isRefusal(header));
  const modules = readFactorEntries(header);
  assert.ok(!isRefusal(modules));
  const products = new Map<string, Float64Array>();
  for (const [name, { a, b, rank, out, in: columns }] of modules) {
    const values = [a, b].map(({ dtype, rows, cols, begin, end }) =>
      factorValues({ dtype, rows, cols, bytes: file.subarray(begin, end) }),
    );
    const scaling = (SPEC.training?.alpha ?? 0) / rank;
    products.set(
      name,
      multiply(
        out,
        rank,
        columns,
        (i, j) => scaling * values[1]![i * rank + j]!,
        (j, k) => values[0]![j * columns + k]!,
      ),
    );
  }
  return products;
}

function expectedProducts(version: number): ReadonlyMap<string, Float64Array> {
  const products = new Map<string, Float64Array>();
  const all = [...fakeComponents(version).values()].flat();
  for (const [index, { name, outFeatures: out, inFeatures: columns, rankGroup }] of SPEC.modules.entries()) {
    const { u, v, singularValues } = all[index]!;
    const rank = moduleRank({ name, out, in: columns, rankGroup } as ModuleSpec, RANKS);
    products.set(
      name,
      multiply(
        out,
        rank,
        columns,
        (i, j) => singularValues[j]! * u[j * out + i]!,
        (j, k) => v[j * columns + k]!,
      ),
    );
  }
  return products;
}

function multiply(
  rows: number,
  inner: number,
  columns: number,
  left: (i: number, j: number) => number,
  right: (j: number, k: number) => number,
): Float64Array {
  const product = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i += 1)
    for (let j = 0; j < inner; j += 1)
      for (let k = 0; k < columns; k += 1) product[i * columns + k]! += left(i, j) * right(j, k);
  return product;
}
