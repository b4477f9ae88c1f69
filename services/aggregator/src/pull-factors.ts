import {
  bytesOfValues,
  dequantiseRows,
  factorValues,
  type ModuleName,
  type RawFactor,
  type UpdateFactorEntry,
} from '@flexlora/core';
import { PULLS_AT_ONCE_MAX } from './limits.ts';
import { mapBounded } from './map-bounded.ts';
import type { ObjectReader } from './object-reader.ts';
import type { UpdateFactors } from './update-factors.ts';

/** Both factors of one module of one update. */
export interface FactorPair {
  readonly b: RawFactor;
  readonly a: RawFactor;
}

/** Bytes that `pullFactors` holds of one update. */
export function pulledBytes({ modules }: UpdateFactors, module: ModuleName): number {
  const { a, b } = modules.get(module)!;
  return heldBytes(a) + heldBytes(b);
}

/** 8-bit integers are held as f32. */
const heldBytes = ({ dtype, rows, cols, begin, end }: UpdateFactorEntry): number =>
  dtype === 'I8' ? 4 * rows * cols : end - begin;

/** Pulls one module's factors of some updates, in their order, by ranged reads of which a bounded number is under way. */
export function pullFactors(
  reader: ObjectReader,
  updates: readonly UpdateFactors[],
  module: ModuleName,
  signal: AbortSignal,
): Promise<readonly FactorPair[]> {
  return mapBounded(
    updates,
    PULLS_AT_ONCE_MAX,
    async ({ update, modules }, abort) => {
      const { a, b } = modules.get(module)!;
      const read = await readSpans(reader, update.objectName, [...spansOf(b), ...spansOf(a)], abort);
      return { b: factor(b, read), a: factor(a, read) };
    },
    signal,
  );
}

/** Offsets in an object: `[begin, end)`. */
interface Span {
  readonly begin: number;
  readonly end: number;
}

const spansOf = (entry: UpdateFactorEntry): readonly Span[] => (entry.dtype === 'I8' ? [entry, entry.scales] : [entry]);

/**
 * Reads spans, those that lie side by side in one read: PEFT's order of names puts a module's two factors there, and the scales of both.
 *
 * @returns the bytes by where they begin.
 */
async function readSpans(
  reader: ObjectReader,
  objectName: string,
  spans: readonly Span[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const read = new Map<number, Uint8Array>();
  const sorted = spans.toSorted((x, y) => x.begin - y.begin);
  for (let first = 0, next = 0; first < sorted.length; first = next) {
    next = first + 1;
    while (sorted[next]?.begin === sorted[next - 1]!.end) next += 1;
    const { begin } = sorted[first]!;
    const bytes = await reader.range(objectName, begin, sorted[next - 1]!.end, signal);
    for (const span of sorted.slice(first, next)) {
      read.set(span.begin, bytes.subarray(span.begin - begin, span.end - begin));
    }
  }
  return read;
}

function factor(entry: UpdateFactorEntry, read: ReadonlyMap<number, Uint8Array>): RawFactor {
  const { rows, cols } = entry;
  const bytes = read.get(entry.begin)!;
  if (entry.dtype !== 'I8') return { dtype: entry.dtype, rows, cols, bytes };
  const scales = factorValues({ dtype: 'F32', rows, cols: 1, bytes: read.get(entry.scales.begin)! });
  const values = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { dtype: 'F32', rows, cols, bytes: bytesOfValues(dequantiseRows({ rows, cols, values, scales })) };
}
