import { SAFETENSORS_HEADER_BYTES_MAX } from '../limits.ts';
import { bf16ToFloat32, f16ToFloat32, float32ToF16 } from './half-floats.ts';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

const BYTES_PER = { F32: 4, F16: 2, BF16: 2 } as const;
type Dtype = keyof typeof BYTES_PER;

/** All tensors of a safetensors file as f32, in the order of the header. Throws a sentence where the file is not whole. */
export function decodeSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  if (bytes.length < 8)
    throw new Error(`a safetensors file has at least 8 bytes, this one ${bytes.length}: it is cut off`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = Number(view.getBigUint64(0, true));
  if (headerBytes > Math.min(SAFETENSORS_HEADER_BYTES_MAX, bytes.length - 8))
    throw new Error(
      `the header claims ${headerBytes} bytes and ${bytes.length - 8} follow: the file is cut off or no safetensors`,
    );
  const header = parseHeader(bytes.subarray(8, 8 + headerBytes));
  const start = 8 + headerBytes;
  const tensors = new Map<string, Tensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, begin, end } = checkEntry(name, entry);
    if (start + end > bytes.length)
      throw new Error(`tensor ${name} ends at byte ${start + end} of a file of ${bytes.length}: the file is cut off`);
    tensors.set(name, {
      shape,
      data: decode(dtype, Uint8Array.from(bytes.subarray(start + begin, start + end)).buffer),
    });
  }
  return tensors;
}

function parseHeader(bytes: Uint8Array): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new Error('the header is not JSON: the file is damaged or no safetensors', { cause });
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header))
    throw new Error('the header is not a JSON object: the file is no safetensors');
  return header as Record<string, unknown>;
}

function checkEntry(
  name: string,
  entry: unknown,
): { readonly dtype: Dtype; readonly shape: readonly number[]; readonly begin: number; readonly end: number } {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof dtype !== 'string' || !Object.hasOwn(BYTES_PER, dtype))
    throw new Error(`tensor ${name} has dtype ${JSON.stringify(dtype)}; allowed: ${Object.keys(BYTES_PER).join(', ')}`);
  const counts = (value: unknown): value is readonly number[] =>
    Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
  if (!counts(shape) || !counts(offsets) || offsets.length !== 2)
    throw new Error(`tensor ${name} has no valid shape and data_offsets`);
  const [begin, end] = offsets as readonly [number, number];
  const expected = shape.reduce((product, side) => product * side, 1) * BYTES_PER[dtype as Dtype];
  if (end - begin !== expected)
    throw new Error(`tensor ${name} of shape ${shape.join(' × ')} needs ${expected} bytes and has ${end - begin}`);
  return { dtype: dtype as Dtype, shape, begin, end };
}

function decode(dtype: Dtype, buffer: ArrayBuffer): Float32Array<ArrayBuffer> {
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return f16ToFloat32(new Uint16Array(buffer));
    case 'BF16':
      return bf16ToFloat32(new Uint16Array(buffer));
  }
}

/** Tensors sorted by name, so that equal tensors give equal bytes. */
export function encodeSafetensors(tensors: ReadonlyMap<string, Tensor>, dtype: 'F32' | 'F16'): Uint8Array {
  const names = [...tensors.keys()].sort();
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } };
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (const name of names) {
    const { data, shape } = tensors.get(name)!;
    const values = dtype === 'F32' ? data : float32ToF16(data);
    header[name] = { dtype, shape, data_offsets: [offset, offset + values.byteLength] };
    chunks.push(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    offset += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // Spaces up to a multiple of 8, so that the tensors are aligned in the file.
  const padded = Buffer.concat([json, Buffer.alloc(-json.length & 7, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, padded, ...chunks]);
}
