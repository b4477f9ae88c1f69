import { KernelError } from '../kernel.ts';
import { addScaled, dot } from './columns.ts';
import { createStream } from './random.ts';

/** Draws before giving up: each fails with a probability of about `INDEPENDENT_MIN`, so eight failures in a row are a bug. */
const DRAWS_MAX = 8;

/** The share of a draw that must lie outside the rows so far: two passes of Gram-Schmidt bring any such draw to full accuracy. */
const INDEPENDENT_MIN = 1e-6;

/** Appends orthonormal rows until there are `count`. Row j depends on the seed, on j and on the rows before it. */
export function completeRows(rows: Float64Array[], count: number, length: number, seed: bigint, module: string): void {
  while (rows.length < count) rows.push(drawRow(rows, length, seed, module));
}

function drawRow(rows: readonly Float64Array[], length: number, seed: bigint, module: string): Float64Array {
  for (let attempt = 0; attempt < DRAWS_MAX; attempt += 1) {
    const random = createStream(seed, BigInt(rows.length * DRAWS_MAX + attempt));
    const row = Float64Array.from({ length }, () => random.nextSignedUnit());
    const drawn = Math.sqrt(dot(row, row));
    for (let pass = 0; pass < 2; pass += 1) {
      for (const other of rows) addScaled(row, -dot(other, row), other);
    }
    const left = Math.sqrt(dot(row, row));
    if (left > INDEPENDENT_MIN * drawn) return row.map((x) => x / left);
  }
  throw new KernelError(
    'internal',
    `module ${JSON.stringify(module)}: no row of length ${length} is orthogonal to ${rows.length} others: report this input`,
  );
}
