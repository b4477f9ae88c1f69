import type { CheckedSum } from './checked-sum.ts';
import { squaredNorm, timesTransposed } from './columns.ts';
import type { Decomposition } from './decomposition.ts';
import { jacobiSvd } from './jacobi-svd.ts';
import type { Stack } from './stack.ts';
import { createThinQr } from './thin-qr.ts';

/** W = B Aᵀ with B and A tall: QR of both, then the SVD of the small core R_B R_Aᵀ. No Gram matrix, so nothing is squared. Overwrites the stack. */
export function decomposeStacked({ b, aTransposed }: Stack, sum: CheckedSum): Decomposition {
  const qrB = createThinQr(b);
  const qrA = createThinQr(aTransposed);
  const core = timesTransposed(qrB.r, qrA.r);
  const energyTotal = squaredNorm(core);
  const { u, values, v } = jacobiSvd(core, sum.module);
  const kept = Math.min(sum.rank, b.length);
  return {
    u: qrB.applyQ(u.slice(0, kept)),
    values: values.slice(0, kept),
    v: qrA.applyQ(v.slice(0, kept)),
    energyTotal,
  };
}
