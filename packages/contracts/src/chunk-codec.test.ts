import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { chunkCodec } from './chunk-codec.ts';
import { DownloadAdapterResponse, UploadUpdateRequest } from './gen/flexlora/transfer/v1/transfer_service.ts';

const upload = chunkCodec(UploadUpdateRequest);
const download = chunkCodec(DownloadAdapterResponse);
const offsets = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER));
const sizes = fc.oneof(fc.nat(300), fc.constantFrom(0, 1, 127, 128, 16_383, 16_384));
const chunks = fc.record(
  { offset: offsets, data: sizes.map((size) => Buffer.alloc(size, size)) },
  { noNullPrototype: true },
);

test('a chunk is the bytes that the generated code writes, and read from what it writes', () => {
  fc.assert(
    fc.property(chunks, (value) => {
      const message: UploadUpdateRequest = { body: { $case: 'chunk', value } };
      const bytes = Buffer.from(UploadUpdateRequest.encode(message).finish());
      assert.deepEqual(upload.serialize(message), bytes);
      assert.deepEqual(upload.deserialize(bytes), message);
      assert.deepEqual(download.serialize(message as DownloadAdapterResponse), bytes);
      assert.deepEqual(download.deserialize(bytes), message);
    }),
  );
});

test('the data of a chunk that was read is no copy', () => {
  const bytes = upload.serialize({ body: { $case: 'chunk', value: { offset: 5, data: Buffer.from('data') } } });
  const { body } = upload.deserialize(bytes);
  assert.equal(body?.$case, 'chunk');
  if (body?.$case === 'chunk') assert.equal(body.value.data.buffer, bytes.buffer);
});

test('whatever else comes is read, or refused, as the generated code does', () => {
  const start = { runId: 'r', round: 1, agentId: 'a', uploadId: 'u', offset: 3 };
  const messages: readonly UploadUpdateRequest[] = [
    { body: undefined },
    { body: { $case: 'start', value: start } },
    { body: { $case: 'chunk', value: { offset: 300, data: Buffer.from('payload') } } },
  ];
  const valid = fc.constantFrom(...messages.map((message) => upload.serialize(message)));
  const changed = fc
    .tuple(valid, fc.array(fc.tuple(fc.nat(30), fc.nat(255)), { maxLength: 3 }), fc.nat(30))
    .map(([bytes, changes, cut]) => {
      const copy = Buffer.from(bytes.subarray(0, Math.max(0, bytes.byteLength - (cut > 15 ? cut - 15 : 0))));
      for (const [at, byte] of changes) if (at < copy.byteLength) copy[at] = byte;
      return copy;
    });
  const outcome = (read: () => unknown): unknown => {
    try {
      return read();
    } catch {
      return 'refused';
    }
  };
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 40 }).map(Buffer.from)), (bytes) => {
      const generated = outcome(() => UploadUpdateRequest.decode(bytes));
      assert.deepEqual(
        outcome(() => upload.deserialize(bytes)),
        generated,
      );
    }),
    { numRuns: 5_000 },
  );
});
