import {
  AbortUploadRequest,
  CommitUploadRequest,
  GetUploadRequest,
  OpenUploadRequest,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { between, type Draw, drawBytes, drawUint64, oneOf } from './draw.ts';
import { type Maker, METHODS, type Method, type Target } from './malformed-upload.ts';
import { numberField, varint } from './wire.ts';

const GROUP_START = 3;
const GROUPS_MAX = 200_000;

/** A right message of each method; of an upload that there is not. */
function rightMessage(method: Method, { place }: Target): Uint8Array {
  const reference = { ...place, uploadId: 'x'.repeat(200) };
  switch (method) {
    case 'openUpload':
      return OpenUploadRequest.encode({ ...place, bytes: 1_000, sha256: 'ab'.repeat(32), samples: 10 }).finish();
    case 'getUpload':
      return GetUploadRequest.encode(reference).finish();
    case 'commitUpload':
      return CommitUploadRequest.encode(reference).finish();
    case 'abortUpload':
      return AbortUploadRequest.encode(reference).finish();
    case 'uploadUpdate': {
      const start = GetUploadRequest.encode(reference).finish();
      return Buffer.concat([Buffer.of(0x0a), varint(BigInt(start.byteLength)), start]);
    }
  }
}

const GARBAGE: Readonly<Record<string, (draw: Draw, right: Buffer) => Buffer>> = {
  nothing: () => Buffer.alloc(0),
  'random bytes': (draw) => drawBytes(draw, between(draw, 1, 300)),
  'a message that is cut off': (draw, right) => right.subarray(0, between(draw, 0, right.byteLength - 1)),
  // The first byte of the first text: ids are ASCII.
  'text that is not UTF-8': (draw, right) => {
    const bytes = Buffer.from(right);
    bytes[bytes.indexOf('x'.repeat(9)) + 1 || 2] = between(draw, 0x80, 0xff);
    return bytes;
  },
  'fields of other types': (draw) =>
    Buffer.concat(Array.from({ length: between(draw, 1, 7) }, (_, at) => numberField(at + 1, drawUint64(draw)))),
  'groups in groups': (draw) => Buffer.alloc(between(draw, 1, GROUPS_MAX), (9 << 3) | GROUP_START),
  'a length past the end': (draw) => Buffer.concat([Buffer.of(0x0a), varint(drawUint64(draw) | 0x100n)]),
  'a varint without an end': (draw) => Buffer.concat([Buffer.of(0x10), Buffer.alloc(between(draw, 1, 60), 0xff)]),
};

/** What no generated client sends. */
export const garbageMessage: Maker = (draw, target) => {
  const method = oneOf(draw, METHODS);
  const [name, garble] = oneOf(draw, Object.entries(GARBAGE));
  const bytes = garble(draw, Buffer.from(rightMessage(method, target)));
  return {
    kind: 'message',
    method,
    bytes,
    what: `${method}: ${name}, ${bytes.subarray(0, 40).toString('hex')}`,
    reasons: ['badMessage', 'badId', 'badDigest', 'badNumber', 'unknownUpload'],
    says: /allowed/,
  };
};
