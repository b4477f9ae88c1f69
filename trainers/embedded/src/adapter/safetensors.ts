import {
  FACTOR_DTYPES,
  factorElementBytes,
  factorValues,
  isFactorDtype,
  isRefusal,
  parseSafetensorsHeader,
} from '@flexlora/core/peft';
import { float32ToF16 } from './half-floats.ts';

export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** All tensors of a safetensors file as f32, in the order of their data. Throws a sentence where the file is not whole. */
export function decodeSafetensors(bytes: Uint8Array): Map<string, Tensor> {
  const header = parseSafetensorsHeader(bytes, bytes.byteLength);
  if (isRefusal(header)) throw new Error(header.message);
  return new Map(
    header.tensors.map(({ name, dtype, shape, begin, end }) => {
      if (!isFactorDtype(dtype))
        throw new Error(`tensor ${name} has dtype ${JSON.stringify(dtype)}; allowed: ${FACTOR_DTYPES.join(', ')}`);
      const elements = (end - begin) / factorElementBytes(dtype);
      const values = factorValues({ dtype, rows: elements, cols: 1, bytes: bytes.subarray(begin, end) });
      // A copy: a tensor holds its own numbers alone, not the file's bytes.
      return [name, { shape, data: new Float32Array(values) }];
    }),
  );
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
