import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TransferServiceService } from '@flexlora/contracts/transfer';
import { GetUploadRequest, type UploadUpdateRequest } from '@flexlora/contracts/transfer/v1/transfer_service';
import fc from 'fast-check';
import { createUploadTap } from './upload-tap.ts';

const which = { runId: 'run', round: 1, agentId: 'site', uploadId: 'u'.repeat(300) };
const upload = (body: NonNullable<UploadUpdateRequest['body']>): Buffer =>
  TransferServiceService.uploadUpdate.requestSerialize({ body });
const chunk = (offset: number, bytes: number): Buffer =>
  upload({ $case: 'chunk', value: { offset, data: Buffer.alloc(bytes, 7) } });

function frame(type: number, stream: number, body: Buffer): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(body.byteLength, 0, 3);
  header.writeUInt8(type, 3);
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, body]);
}

function message(bytes: Buffer): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([header, bytes]);
}

test('uploads are told with their start and every whole chunk, however the connection is cut into pieces', () => {
  const first = Buffer.concat([
    message(upload({ $case: 'start', value: { ...which, offset: 5 << 20, commit: true } })),
    message(chunk(5 << 20, 40_000)),
  ]);
  const line = Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(4, 0, Buffer.alloc(12)),
    frame(0, 1, message(Buffer.from(GetUploadRequest.encode(which).finish()))),
    frame(1, 3, Buffer.alloc(50)),
    frame(0, 3, first.subarray(0, 16_384)),
    frame(0, 5, message(upload({ $case: 'start', value: { ...which, offset: 0, commit: true } }))),
    frame(0, 3, first.subarray(16_384)),
    frame(0, 5, message(chunk(0, 10))),
    // The rest of this one never comes.
    frame(0, 5, message(chunk(10, 1_000)).subarray(0, 500)),
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: line.byteLength }), { maxLength: 20 }), (cuts) => {
      const told: unknown[] = [];
      const hear = createUploadTap({
        began: (stream, { offset, uploadId }) => told.push([stream, 'began', offset, uploadId.length]),
        chunk: (stream, offset, bytes) => told.push([stream, 'chunk', offset, bytes]),
      });
      const ends = [...cuts.sort((a, b) => a - b), line.byteLength];
      for (const [index, end] of ends.entries()) hear(line.subarray(ends[index - 1] ?? 0, end));
      assert.deepEqual(told, [
        [3, 'began', 5 << 20, 300],
        [5, 'began', 0, 300],
        [3, 'chunk', 5 << 20, 40_000],
        [5, 'chunk', 0, 10],
      ]);
    }),
  );
});
