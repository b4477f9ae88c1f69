import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sha256Hex } from '@flexlora/core';
import { createMemoryDisk, type MemoryDisk } from './disk/memory-disk.ts';
import { appendReceipt, parseReceipts, type Receipt } from './receipts.ts';

const PATH = '/agent/receipts.jsonl';
const DIGEST = 'd'.repeat(64) as Sha256Hex;
const receiptOf = (round: number): Receipt => ({ round, sha256: DIGEST, trainedIn: round, samples: 3, heardAtMs: 7 });

async function diskWith(...rounds: readonly number[]): Promise<MemoryDisk> {
  const disk = createMemoryDisk();
  await disk.makeDirectory('/agent');
  for (const round of rounds) await appendReceipt(disk, PATH, receiptOf(round));
  return disk;
}

const receiptsOn = async (disk: MemoryDisk): Promise<readonly Receipt[]> =>
  parseReceipts((await disk.read(PATH))?.toString('utf8') ?? '');

test('a receipt that was kept survives a power cut', async () => {
  const disk = await diskWith(1, 2);
  disk.crash();
  assert.deepEqual(await receiptsOn(disk), [receiptOf(1), receiptOf(2)]);
});

test('a line that was cut off costs that receipt alone', async () => {
  const disk = await diskWith(1);
  const file = await disk.open(PATH, 'change');
  await file!.write(Buffer.from('{"round":2,"sha'), (await disk.size(PATH))!);
  await appendReceipt(disk, PATH, receiptOf(3));
  assert.deepEqual(await receiptsOn(disk), [receiptOf(1), receiptOf(3)]);
});

test('a receipt that was kept twice is one', async () => {
  assert.deepEqual(await receiptsOn(await diskWith(1, 1, 2)), [receiptOf(1), receiptOf(2)]);
});
