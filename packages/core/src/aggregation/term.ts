/**
 * A term of the sum that the kernel truncates: `coefficient · B · A`, where B and A are each a weighted sum of factors (usually of one).
 * Factors of smaller rank are padded with zeros to the largest rank of the term. A strategy is a pure function from updates to terms.
 */
export interface AggregationTerm {
  /** Names the term in errors. */
  readonly label: string;
  /** Signed and finite; carries the update's weight and its own scaling. */
  readonly coefficient: number;
  readonly b: readonly WeightedFactor[];
  readonly a: readonly WeightedFactor[];
}

export interface WeightedFactor {
  readonly weight: number;
  readonly source: FactorSource;
}

/** `lora_B` or `lora_A` (by its place in the term) of update number `update`, or of the previous adapter cut to its first `rank` components. */
export type FactorSource =
  | { readonly kind: 'update'; readonly update: number }
  | { readonly kind: 'previousAdapter'; readonly rank: number };

/** What a strategy knows of an update in one module: no bytes. */
export interface TermUpdate {
  readonly label: string;
  readonly samples: number;
  /** Rank of this module in the update. */
  readonly rank: number;
  /** s_k: `scalingFactor(kind, alpha, rank)`. */
  readonly scaling: number;
}
