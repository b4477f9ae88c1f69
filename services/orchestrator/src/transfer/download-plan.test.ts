import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AdapterManifest, isRefusal, type RunSpec } from '@flexlora/core';
import { chunksOf } from './download-adapter.ts';
import { planDownload } from './download-plan.ts';

const module = (name: string, out: number, columns: number, rankGroup: string) => ({
  name,
  out,
  in: columns,
  rankGroup,
});
const spec = {
  modules: [module('q', 4, 3, 'attention'), module('up', 2, 6, 'feed')],
  rank: { min: 1, max: 4, tiers: [1, 4], policy: 'uniform' },
  svdSplit: 'b',
  aggregation: { tolerance: 1.001 },
} as unknown as RunSpec;

const object = (rankGroup: string, out: number, columns: number, rank: number) => ({
  objectName: `${rankGroup}.bin`,
  rankGroup,
  componentDigests: Array.from({ length: rank }, (_, j) => `${j}`.repeat(64)),
  modules: [{ name: rankGroup, out, in: columns, rank, spectrum: Array.from({ length: rank }, (_, j) => rank - j) }],
});
const manifest = { objects: [object('attention', 4, 3, 3), object('feed', 2, 6, 2)] } as unknown as AdapterManifest;

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

test('a download is the first components of each object, no more than the object has', () => {
  const plan = planDownload(spec, manifest, { attention: 1, feed: 4 });
  assert.ok(!isRefusal(plan));
  assert.deepEqual(plan.prefixes, [
    { objectName: 'attention.bin', bytes: 1 * 7 * 4 },
    { objectName: 'feed.bin', bytes: 2 * 8 * 4 },
  ]);
  assert.equal(plan.layout.bytes, 28 + 64);
  assert.deepEqual(
    plan.layout.objects.map(({ components, componentSha256, modules }) => [
      components,
      componentSha256.length,
      modules[0]?.spectrum,
    ]),
    [
      [1, 1, [3]],
      [2, 2, [2, 1]],
    ],
  );
});

test('a rank that no download has is refused with what is allowed', () => {
  for (const ranks of [
    { attention: 0, feed: 1 },
    { attention: 5, feed: 1 },
    { attention: 1 },
    { attention: 1, feed: 1, head: 1 },
  ]) {
    const refusal = planDownload(spec, manifest, ranks as Record<string, number>);
    assert.ok(isRefusal(refusal), JSON.stringify(ranks));
    assert.equal(refusal.reason, 'rankOutOfRange');
    assert.match(refusal.message, /allowed: /);
  }
});

test('chunks are the same bytes, all of one size but the last', async () => {
  const bytes = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i % 251));
  async function* pieces() {
    for (const [from, to] of [
      [0, 1],
      [1, 300],
      [300, 300],
      [300, 1_000],
    ])
      yield bytes.subarray(from, to);
  }
  const chunks = await collect(chunksOf(pieces(), 64));
  assert.deepEqual(Buffer.concat(chunks), bytes);
  assert.ok(chunks.slice(0, -1).every(({ byteLength }) => byteLength === 64));
  assert.equal(chunks.at(-1)?.byteLength, 1_000 % 64);
});
