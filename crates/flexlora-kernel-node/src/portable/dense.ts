import type { CheckedSum } from './checked-sum.ts';
import { addTimesTransposed, squaredNorm, zeroColumns } from './columns.ts';
import type { Decomposition } from './decomposition.ts';
import { jacobiSvd } from './jacobi-svd.ts';
import { stack } from './stack.ts';
import { createThinQr } from './thin-qr.ts';

/** Forms W or its transpose, whichever is tall, one term at a time and in their order; then QR and the SVD of R. */
export function decomposeDense(sum: CheckedSum): Decomposition {
  const isTall = sum.out >= sum.in;
  const tall = isTall ? zeroColumns(sum.out, sum.in) : zeroColumns(sum.in, sum.out);
  for (const term of sum.terms) {
    const { b, aTransposed } = stack(sum.out, sum.in, [term]);
    if (isTall) addTimesTransposed(tall, b, aTransposed);
    else addTimesTransposed(tall, aTransposed, b);
  }
  const energyTotal = squaredNorm(tall);
  const qr = createThinQr(tall);
  const { u, values, v } = jacobiSvd(qr.r, sum.module);
  const left = qr.applyQ(u.slice(0, sum.rank));
  const right = v.slice(0, sum.rank);
  return { u: isTall ? left : right, values: values.slice(0, sum.rank), v: isTall ? right : left, energyTotal };
}
