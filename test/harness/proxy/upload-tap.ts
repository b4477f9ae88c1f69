import { TransferServiceService } from '@flexlora/contracts/transfer';
import type { UploadStart } from '@flexlora/contracts/transfer/v1/transfer_service';

/** Hears of the uploads on one connection, in the order of the wire. */
export interface UploadListener {
  began(stream: number, start: UploadStart): void;
  /** A whole chunk has come by: these bytes of the file. */
  chunk(stream: number, offset: number, bytes: number): void;
}

const PREFACE_BYTES = 24;
const FRAME_HEADER_BYTES = 9;
const DATA = 0x0;
const PADDED = 0x8;
const MESSAGE_HEADER_BYTES = 5;
/** Of field 1, `start`, which stands alone in its message; requests of unary calls have their run there, and more fields. */
const START_TAG = 0x0a;

/** Reads along what a client says on a plain connection of gRPC, from its first byte, in pieces of any size. */
export function createUploadTap(listener: UploadListener): (bytes: Buffer) => void {
  const frames = createCutter(FRAME_HEADER_BYTES, (header) => header.readUIntBE(0, 3), PREFACE_BYTES);
  const streams = new Map<number, (bytes: Buffer) => void>();
  return frames((frame) => {
    if (frame[3] !== DATA) return;
    if (((frame[4] ?? 0) & PADDED) !== 0) throw new Error('a frame is padded, which this does not read');
    const stream = frame.readUInt32BE(5);
    const hear = streams.get(stream) ?? readMessages(stream, listener);
    streams.set(stream, hear);
    hear(frame.subarray(FRAME_HEADER_BYTES));
  });
}

function readMessages(stream: number, listener: UploadListener): (bytes: Buffer) => void {
  const messages = createCutter(MESSAGE_HEADER_BYTES, (header) => header.readUInt32BE(1));
  let kind: 'unknown' | 'upload' | 'other' = 'unknown';
  return messages((message) => {
    const bytes = message.subarray(MESSAGE_HEADER_BYTES);
    if (kind === 'unknown') kind = isStart(bytes) ? 'upload' : 'other';
    if (kind === 'other') return;
    const { body } = TransferServiceService.uploadUpdate.requestDeserialize(bytes);
    if (body?.$case === 'start') listener.began(stream, body.value);
    else if (body?.$case === 'chunk') listener.chunk(stream, body.value.offset, body.value.data.byteLength);
  });
}

/** Whether field 1 is the whole message. A start is below 16 KiB: its length takes one byte or two. */
function isStart(bytes: Buffer): boolean {
  if (bytes[0] !== START_TAG || bytes.byteLength < 3) return false;
  const [low, high] = [bytes[1] ?? 0, bytes[2] ?? 0];
  return low < 0x80 ? bytes.byteLength === 2 + low : bytes.byteLength === 3 + (low & 0x7f) + high * 0x80;
}

/** Cuts what comes into whole units, each a header and as many bytes as that says. */
const createCutter =
  (headerBytes: number, bodyBytesOf: (header: Buffer) => number, skipBytes = 0) =>
  (onUnit: (unit: Buffer) => void): ((bytes: Buffer) => void) => {
    let waiting: Buffer[] = [];
    let waitingBytes = 0;
    let needed = skipBytes + headerBytes;
    let skip = skipBytes;
    return (bytes) => {
      waiting.push(bytes);
      waitingBytes += bytes.byteLength;
      if (waitingBytes < needed) return;
      let rest = Buffer.concat(waiting);
      for (;;) {
        needed = skip + headerBytes;
        if (rest.byteLength < needed) break;
        needed += bodyBytesOf(rest.subarray(skip));
        if (rest.byteLength < needed) break;
        onUnit(rest.subarray(skip, needed));
        rest = rest.subarray(needed);
        skip = 0;
      }
      waiting = [rest];
      waitingBytes = rest.byteLength;
    };
  };
