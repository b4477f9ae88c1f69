import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { allocateChunk, chunkCodec } from './chunk-codec.ts';
import {
  AdapterChunk,
  DownloadAdapterResponse,
  UploadChunk,
  UploadUpdateRequest,
} from './gen/flexlora/transfer/v1/transfer_service.ts';

const upload = chunkCodec(UploadUpdateRequest, UploadChunk.fromPartial({}));
const download = chunkCodec(DownloadAdapterResponse, AdapterChunk.fromPartial({}));
const offsets = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(0, 127, 128, 2 ** 32, Number.MAX_SAFE_INTEGER));
const sizes = fc.oneof(fc.nat(300), fc.constantFrom(0, 1, 127, 128, 16_383, 16_384));
const data = sizes.map((size) => Buffer.alloc(size, size));
const chunks = fc.record({ offset: offsets, data }, { noNullPrototype: true });

test('a chunk is the bytes that the generated code writes, and read from what it writes', () => {
  fc.assert(
    fc.property(chunks, (value) => {
      const message: UploadUpdateRequest = { body: { $case: 'chunk', value: { ...value, crc32c: undefined } } };
      const bytes = Buffer.from(UploadUpdateRequest.encode(message).finish());
      assert.deepEqual(upload.serialize(message), bytes);
      assert.deepEqual(upload.deserialize(bytes), message);
      const answer: DownloadAdapterResponse = { body: { $case: 'chunk', value } };
      assert.deepEqual(download.serialize(answer), bytes);
      assert.deepEqual(download.deserialize(bytes), answer);
    }),
  );
});

test('a chunk with a CRC is what the generated code reads, and is read from what that writes', () => {
  fc.assert(
    fc.property(chunks, fc.integer({ min: 0, max: 2 ** 32 - 1 }), (value, crc32c) => {
      const message: UploadUpdateRequest = { body: { $case: 'chunk', value: { ...value, crc32c } } };
      const bytes = upload.serialize(message);
      assert.deepEqual(UploadUpdateRequest.decode(bytes), message);
      assert.deepEqual(upload.deserialize(bytes), message);
      assert.deepEqual(upload.deserialize(Buffer.from(UploadUpdateRequest.encode(message).finish())), message);
    }),
  );
});

test('allocated memory is sent where it lies, once, and a part of it is copied', () => {
  fc.assert(
    fc.property(offsets, fc.integer({ min: 1, max: 20_000 }), fc.option(fc.nat()), (offset, size, crc) => {
      const data = allocateChunk(size).fill(size);
      const message = (part: Buffer): UploadUpdateRequest => ({
        body: { $case: 'chunk', value: { offset, data: part, crc32c: crc ?? undefined } },
      });
      const copied = upload.serialize(message(data.subarray(0)));
      assert.notEqual(copied.buffer, data.buffer);
      const bytes = upload.serialize(message(data));
      assert.equal(bytes.buffer, data.buffer);
      assert.deepEqual(bytes, copied);
      assert.notEqual(upload.serialize(message(data)).buffer, data.buffer, 'gRPC may hold the first still');
    }),
  );
});

test('the data of a chunk that was read is no copy', () => {
  const bytes = upload.serialize({
    body: { $case: 'chunk', value: { offset: 5, data: Buffer.from('data'), crc32c: 7 } },
  });
  const { body } = upload.deserialize(bytes);
  assert.equal(body?.$case, 'chunk');
  if (body?.$case === 'chunk') assert.equal(body.value.data.buffer, bytes.buffer);
});

test('whatever else comes is read, or refused, as the generated code does', () => {
  const start = { runId: 'r', round: 1, agentId: 'a', uploadId: 'u', offset: 3, commit: true };
  const messages: readonly UploadUpdateRequest[] = [
    { body: undefined },
    { body: { $case: 'start', value: start } },
    { body: { $case: 'chunk', value: { offset: 7, data: Buffer.from('plain'), crc32c: undefined } } },
    { body: { $case: 'chunk', value: { offset: 300, data: Buffer.from('payload'), crc32c: 0xfedcba98 } } },
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
