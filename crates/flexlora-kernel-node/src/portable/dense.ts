import type { CheckedSum } from './checked-sum.ts';
import { addTimesTransposed, type Columns, squaredNorm, zeroColumns } from './columns.ts';
import type { Decomposition } from './decomposition.ts';
import { jacobiSvd } from './jacobi-svd.ts';
import type { Stack } from './stack.ts';
import { createThinQr } from './thin-qr.ts';

/** Zeros of the shape of W or of its transpose, whichever is tall. */
export function createTall(out: number, cols: number): Columns {
  return out >= cols ? zeroColumns(out, cols) : zeroColumns(cols, out);
}

/** `tall += b · aTransposedᵀ`, or its transpose, column after column. */
export function addToTall(tall: Columns, { b, aTransposed }: Stack): void {
  const isTall = b[0]!.length >= aTransposed[0]!.length;
  if (isTall) addTimesTransposed(tall, b, aTransposed);
  else addTimesTransposed(tall, aTransposed, b);
}

/** QR of W or its transpose, whichever is tall, then the SVD of R. Overwrites `tall`. */
export function decomposeDense(tall: Columns, sum: CheckedSum): Decomposition {
  const isTall = sum.out >= sum.in;
  const energyTotal = squaredNorm(tall);
  const qr = createThinQr(tall);
  const { u, values, v } = jacobiSvd(qr.r, sum.module);
  const left = qr.applyQ(u.slice(0, sum.rank));
  const right = v.slice(0, sum.rank);
  return { u: isTall ? left : right, values: values.slice(0, sum.rank), v: isTall ? right : left, energyTotal };
}
