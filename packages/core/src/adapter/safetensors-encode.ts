import { factorElementBytes } from './factor.ts';
import { SAFETENSORS_LENGTH_BYTES, type SafetensorsHeader, type TensorEntry } from './safetensors-header.ts';
import type { UpdateDtype } from './update-format.ts';

export interface TensorShape {
  readonly name: string;
  readonly dtype: UpdateDtype;
  readonly shape: readonly number[];
}

/** What `transformers` and `peft` look for before they load a file. */
const METADATA: Readonly<Record<string, string>> = { format: 'pt' };

/** The header pads to this, and wider elements come first, so that the data of every tensor is aligned in a mapped file. */
const ALIGNMENT_BYTES = 8;

/**
 * A header for these tensors, and where the data of each goes. Data and header are in the order of element sizes, the widest first, and of names
 * (UTF-16 code units), so the same tensors give the same bytes.
 */
export function encodeSafetensorsHeader(
  shapes: readonly TensorShape[],
  metadata = METADATA,
): {
  readonly header: SafetensorsHeader;
  readonly bytes: Uint8Array;
} {
  const sorted = shapes.toSorted(
    (x, y) => elementBytes(y.dtype) - elementBytes(x.dtype) || (x.name < y.name ? -1 : x.name > y.name ? 1 : 0),
  );
  const described: [string, unknown][] = [['__metadata__', metadata]];
  let at = 0;
  const spans = sorted.map(({ name, dtype, shape }) => {
    const begin = at;
    at += shape.reduce((product, side) => product * side, elementBytes(dtype));
    described.push([name, { dtype, shape, data_offsets: [begin, at] }]);
    return { name, dtype, shape, begin, end: at };
  });
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(described)));
  const dataAt = Math.ceil((SAFETENSORS_LENGTH_BYTES + json.byteLength) / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const bytes = new Uint8Array(dataAt).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(dataAt - SAFETENSORS_LENGTH_BYTES), true);
  bytes.set(json, SAFETENSORS_LENGTH_BYTES);
  const tensors: readonly TensorEntry[] = spans.map((span) => ({
    ...span,
    begin: dataAt + span.begin,
    end: dataAt + span.end,
  }));
  return { header: { tensors, metadata, dataAt, fileBytes: dataAt + at }, bytes };
}

const elementBytes = (dtype: UpdateDtype): number => (dtype === 'I8' ? 1 : factorElementBytes(dtype));
