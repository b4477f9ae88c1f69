import { bytesOfValues, type FactorSide, factorValues, type RawFactor } from '../adapter/factor.ts';
import { type Refusal, refuse } from '../refusal.ts';

/** A `WeightedFactor` whose source was read. */
export interface MixPart {
  readonly weight: number;
  readonly factor: RawFactor;
}

/**
 * The weighted sum of factors of one side: one factor of weight 1 passes through as it is, all else is summed in f64, in the order
 * given, and rounded to f32 once. Factors of smaller rank are padded with zeros to the largest rank: B (out × r) by columns, A (r × in) by
 * rows.
 */
export function mixFactors(side: FactorSide, parts: readonly MixPart[]): RawFactor | Refusal {
  const [first] = parts;
  if (first === undefined)
    return refuse('badNumber', `a term has no factor for lora_${side.toUpperCase()}; allowed: at least one`);
  if (parts.length === 1 && first.weight === 1) return first.factor;
  const fixed = side === 'b' ? first.factor.rows : first.factor.cols;
  let rank = 0;
  for (const { factor } of parts) {
    const [length, itsRank] = side === 'b' ? [factor.rows, factor.cols] : [factor.cols, factor.rows];
    if (length !== fixed) {
      return refuse(
        'badTensor',
        `a factor lora_${side.toUpperCase()} is ${factor.rows} × ${factor.cols}, another has ${fixed} on its long side; allowed: one shape of the module`,
      );
    }
    rank = Math.max(rank, itsRank);
  }
  const rows = side === 'b' ? fixed : rank;
  const cols = side === 'b' ? rank : fixed;
  const sum = new Float64Array(rows * cols);
  for (const { weight, factor } of parts) addPadded(sum, cols, weight, factor);
  return { dtype: 'F32', rows, cols, bytes: bytesOfValues(Float32Array.from(sum)) };
}

function addPadded(sum: Float64Array, sumCols: number, weight: number, factor: RawFactor): void {
  const values = factorValues(factor);
  const { rows, cols } = factor;
  for (let row = 0; row < rows; row++) {
    const to = row * sumCols;
    const from = row * cols;
    for (let col = 0; col < cols; col++) sum[to + col]! += weight * values[from + col]!;
  }
}
