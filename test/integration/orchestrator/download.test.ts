import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DownloadAdapterResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { sha256 } from './update-file.ts';
import { createWorkplace, refusedFor } from './workplace.ts';

const { station, collecting } = createWorkplace();

test('a download is the prefix of its rank, from any offset', async () => {
  const { spec } = await collecting('download');
  const whole = await download(spec.runId, { attention: 2, 'feed-forward': 3 }, 0);
  // Component j of the fake aggregator is filled with j + 1: 2 × (8 + 6) and 3 × (10 + 8) numbers.
  const expected = Buffer.concat([
    Buffer.alloc(14 * 4, 1),
    Buffer.alloc(14 * 4, 2),
    ...[1, 2, 3].map((fill) => Buffer.alloc(18 * 4, fill)),
  ]);
  assert.deepEqual(whole.bytes, expected);
  assert.equal(whole.layoutBytes, expected.byteLength);
  assert.equal(whole.componentDigests[0], sha256(Buffer.alloc(14 * 4, 1)));
  for (const offset of [1, 14 * 4 * 2, 14 * 4 * 2 + 5, expected.byteLength]) {
    const rest = await download(spec.runId, { attention: 2, 'feed-forward': 3 }, offset);
    assert.deepEqual(rest.bytes, expected.subarray(offset), `from ${offset}`);
    assert.equal(rest.firstOffset, offset === expected.byteLength ? null : offset);
  }
  await assert.rejects(
    download(spec.runId, { attention: 2, 'feed-forward': 0 }, 0),
    refusedFor('rankOutOfRange', /is 0/),
  );
  await assert.rejects(download('nobody', {}, 0), refusedFor('unknownRun', /nobody/));
  await assert.rejects(
    download(spec.runId, { attention: 1, 'feed-forward': 1 }, 0, 1),
    refusedFor('notPublished', /version 1/),
  );
});

async function download(runId: string, ranks: Record<string, number>, offset: number, version = 0) {
  const stream = station().transfer.downloadAdapter({ runId, version, ranks, offset });
  const chunks: Buffer[] = [];
  let layoutBytes = 0;
  let firstOffset: number | null = null;
  let componentDigests: readonly string[] = [];
  for await (const { body } of stream as AsyncIterable<DownloadAdapterResponse>) {
    if (body?.$case === 'layout') {
      layoutBytes = body.value.bytes;
      componentDigests = body.value.objects.flatMap(({ componentSha256 }) => componentSha256);
    }
    if (body?.$case === 'chunk') {
      firstOffset ??= body.value.offset;
      chunks.push(body.value.data);
    }
  }
  return { bytes: Buffer.concat(chunks), layoutBytes, firstOffset, componentDigests };
}
