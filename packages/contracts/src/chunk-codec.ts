/** A message of which field 2 is `{ uint64 offset = 1; bytes data = 2; … }`: UploadUpdateRequest and DownloadAdapterResponse. */
export interface ChunkMessage<Other> {
  readonly body?: Other | { readonly $case: 'chunk'; readonly value: Chunk } | undefined;
}

interface Chunk {
  readonly offset: number;
  readonly data: Buffer;
  /** `optional fixed32 crc32c = 3`, where the chunk has one. */
  readonly crc32c?: number | undefined;
}

interface Codec<Message> {
  encode(message: Message): { finish(): Uint8Array };
  decode(bytes: Buffer): Message;
}

const CHUNK_TAG = 0x12;
const OFFSET_TAG = 0x08;
const CRC_TAG = 0x1d;
const CRC_BYTES = 4;
const DATA_TAG = 0x12;
/** Tags, and lengths and numbers below 2⁵³. */
const HEADER_BYTES_MAX = 1 + 5 + 1 + 8 + 1 + CRC_BYTES + 1 + 5;

/** Buffers with room before them for a header. */
const roomy = new WeakSet<Buffer>();

/** Memory for the data of a chunk, as it stands: sent whole, and once, it is not copied on its way to gRPC. */
export function allocateChunk(bytes: number): Buffer {
  const data = Buffer.allocUnsafeSlow(HEADER_BYTES_MAX + bytes).subarray(HEADER_BYTES_MAX);
  roomy.add(data);
  return data;
}

/**
 * The same message on the wire as the generated code writes and reads, with the payload last, copied at most once on its way out ({@link allocateChunk})
 * and not at all on its way in, where it is a view of the message: the generated code grows a buffer for it, and copies what it read.
 * Everything that is not a chunk in the form that this writes is left to the generated code.
 *
 * @param empty a chunk without content, as the generated code makes it.
 */
export const chunkCodec = <Message extends ChunkMessage<unknown>>(generated: Codec<Message>, empty: Chunk) => ({
  serialize: (message: Message): Buffer => {
    const { body } = message;
    if (isChunk(body) && body.value.data.byteLength > 0) return encodeChunk(body.value);
    return Buffer.from(generated.encode(message).finish());
  },
  deserialize: (bytes: Buffer): Message => {
    const value = decodeChunk(bytes, empty);
    return value === null ? generated.decode(bytes) : ({ body: { $case: 'chunk', value } } as unknown as Message);
  },
});

const isChunk = (body: unknown): body is { readonly $case: 'chunk'; readonly value: Chunk } =>
  (body as { readonly $case?: unknown } | undefined)?.$case === 'chunk';

function encodeChunk({ offset, data, crc32c }: Chunk): Buffer {
  const offsetBytes = offset === 0 ? 0 : 1 + varintBytes(offset);
  const crcBytes = crc32c === undefined ? 0 : 1 + CRC_BYTES;
  const inner = offsetBytes + crcBytes + 1 + varintBytes(data.byteLength) + data.byteLength;
  const total = 1 + varintBytes(inner) + inner;
  const bytes = roomy.delete(data)
    ? Buffer.from(data.buffer, data.byteOffset + data.byteLength - total, total)
    : Buffer.allocUnsafe(total);
  bytes[0] = CHUNK_TAG;
  let at = writeVarint(bytes, inner, 1);
  if (offset !== 0) {
    bytes[at] = OFFSET_TAG;
    at = writeVarint(bytes, offset, at + 1);
  }
  if (crc32c !== undefined) {
    bytes[at] = CRC_TAG;
    at = bytes.writeUInt32LE(crc32c, at + 1);
  }
  bytes[at] = DATA_TAG;
  at = writeVarint(bytes, data.byteLength, at + 1);
  if (bytes.byteOffset + at !== data.byteOffset || bytes.buffer !== data.buffer) bytes.set(data, at);
  return bytes;
}

/** Null for anything but one chunk with data, of fields in the order written here, that ends with the message. */
function decodeChunk(bytes: Buffer, empty: Chunk): Chunk | null {
  if (bytes[0] !== CHUNK_TAG) return null;
  const header = bytes.subarray(0, HEADER_BYTES_MAX);
  const inner = readVarint(header, 1);
  if (inner === null || inner.end + inner.value !== bytes.byteLength) return null;
  let at = inner.end;
  let { offset, crc32c } = empty;
  if (header[at] === OFFSET_TAG) {
    const read = readVarint(header, at + 1);
    if (read === null) return null;
    offset = read.value;
    at = read.end;
  }
  if (header[at] === CRC_TAG && 'crc32c' in empty && at + CRC_BYTES < header.byteLength) {
    crc32c = header.readUInt32LE(at + 1);
    at += 1 + CRC_BYTES;
  }
  if (header[at] !== DATA_TAG) return null;
  const length = readVarint(header, at + 1);
  if (length === null || length.end + length.value !== bytes.byteLength) return null;
  const chunk = { offset, data: bytes.subarray(length.end) };
  return 'crc32c' in empty ? { ...chunk, crc32c } : chunk;
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

/** Returns where it ends. */
function writeVarint(into: Buffer, value: number, start: number): number {
  let at = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) into[at++] = (rest % 0x80) | 0x80;
  into[at] = rest;
  return at + 1;
}

/** Null for one that is cut off, or above 2⁵³ − 1. */
function readVarint(bytes: Buffer, start: number): { readonly value: number; readonly end: number } | null {
  let value = 0;
  let scale = 1;
  for (let at = start; at < bytes.byteLength; at += 1) {
    const byte = bytes[at]!;
    value += (byte & 0x7f) * scale;
    if (byte < 0x80) return Number.isSafeInteger(value) ? { value, end: at + 1 } : null;
    scale *= 0x80;
  }
  return null;
}
