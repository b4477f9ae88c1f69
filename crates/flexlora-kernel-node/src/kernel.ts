/** Element type of a factor as safetensors names it; little-endian. */
export type FactorDtype = 'F32' | 'F16' | 'BF16';

/**
 * A matrix, row-major, as raw little-endian bytes, at any alignment. The kernel reads it and never writes it; the native kernel reads it
 * in place, so it must be neither written nor transferred until the call settles (`KernelSum.add` says when later).
 */
export interface Factor {
  readonly dtype: FactorDtype;
  readonly rows: number;
  readonly cols: number;
  readonly bytes: Uint8Array;
}

/** `coefficient · b · a`, with `b` out × rank and `a` rank × in. The coefficient is signed and finite; it carries weight and scaling. */
export interface KernelTerm {
  /** Names the term in errors, for example an agent id or an adapter directory. */
  readonly label: string;
  readonly coefficient: number;
  readonly b: Factor;
  readonly a: Factor;
}

/** A sum whose terms come later. */
export interface SumRequest {
  /** PEFT's name of the module, for errors only. */
  readonly module: string;
  /** Rows of W. */
  readonly out: number;
  /** Columns of W. */
  readonly in: number;
  /** Components wanted; the answer has `min(rank, out, in)`. At least 1. */
  readonly rank: number;
  /** Σ of the ranks of all terms that will come, known from headers: it decides the method before the first term is there. May be 0 (W = 0). */
  readonly rankSum: number;
  /** Seed of the orthonormal completion of components that W does not have; any number. The same seed gives the same rows. */
  readonly completionSeed: number;
  /**
   * How much larger than the smallest possible the error ‖W − Ŵ_r‖_F may be, as a ratio, at every rank r: `TOLERANCE` (1.001) where absent,
   * `TOLERANCE_EXACT` (1 + 1e-6) at least.
   */
  readonly tolerance?: number;
  /** Chosen by the planner where absent. One that does not exist, or does not apply to these sizes, is refused (`badMethod`). */
  readonly method?: KernelMethod;
}

/** A sum whose terms are all there. */
export interface TruncateRequest extends Omit<SumRequest, 'rankSum'> {
  /** Summed in the order given: the caller fixes the order so that the same updates give the same bytes. May be empty (W = 0). */
  readonly terms: readonly KernelTerm[];
}

/**
 * How W is decomposed. `stacked`: QR of the stacked factors in float64 and the SVD of a small core. `factored`: a block Krylov iteration on
 * `x ↦ Σ c_k B_k (A_k x)` in float32, which never forms W and reads the factors at every step (native only). `accumulated`: the same iteration on W, which is
 * accumulated in float32 as the terms come in. `dense`: W in float64, and all of its SVD.
 */
export type KernelMethod = 'stacked' | 'factored' | 'accumulated' | 'dense';

/** The tolerance where none is asked for. */
export const TOLERANCE = 1.001;

/** As exact as factors in float32 warrant. */
export const TOLERANCE_EXACT = 1 + 1e-6;

/** Bytes that one sum may hold at most where no bound is given: 2 GiB. */
export const MEMORY_BYTES = 2 ** 31;

export const KERNEL_METHODS: readonly KernelMethod[] = ['stacked', 'factored', 'accumulated', 'dense'];

/** What a sum will take, known before its first term is there. It depends on the request alone, not on the machine or its threads. */
export interface KernelPlan {
  readonly method: KernelMethod;
  /** Blocks of the iteration, for a spectrum of moderate decay; 0 for a method without one. */
  readonly blocks: number;
  /** Multiplications and additions. */
  readonly operations: number;
  /** Upper bound of the bytes held at any time beside the caller's factors; for `factored` with them, at 4 bytes a value. */
  readonly scratchBytes: number;
  /** On two cores with AVX-512; other machines in proportion to their speed. */
  readonly seconds: number;
}

/**
 * The truncated SVD of `W = Σ c_k B_k A_k`: `W ≈ Σ_j σ_j u_j v_jᵀ`, σ descending, and the proof that comes with it.
 *
 * Sign: the entry of largest magnitude of each `v_j` is positive; the first of equals decides, and entries within 1e-6 (relative) of the
 * largest count as equal, so that last bits do not decide. A component that W does not have (σ_j = 0) has
 * `u_j = 0` and a `v_j` that completes the rows orthonormally, so that it can still be trained.
 */
export interface TruncatedSum {
  /** `min(rank, out, in)`. */
  readonly rank: number;
  /** `rank × out`, row j is u_j (unit length, or zero where σ_j is zero). */
  readonly u: Float32Array;
  /** `rank`, descending, not negative. */
  readonly singularValues: Float64Array;
  /** `rank × in`, row j is v_j, orthonormal rows. */
  readonly v: Float32Array;
  /** The method that gave the answer. */
  readonly method: KernelMethod;
  /** The forecast. */
  readonly plan: KernelPlan;
  /** Whether the planned method reached the tolerance. Where not, another took its place: see `fallbackFrom`. */
  readonly converged: boolean;
  readonly fallbackFrom: KernelMethod | null;
  /** Blocks of the iteration; 0 where there was none. */
  readonly blocks: number;
  /** Multiplications and additions, by the plan's formulas with the blocks that were taken. */
  readonly operations: number;
  /** What was asked for. */
  readonly tolerance: number;
  /** ‖W − Ŵ‖_F over the smallest possible, minus 1, as estimated: at most `tolerance − 1`; 0 where the method is exact. */
  readonly excess: number;
  /** Σ of the terms' ranks. */
  readonly rankSum: number;
  /** Σ σ_j² of the components kept. */
  readonly energyKept: number;
  /** ‖W‖_F²; 0 where the terms cancel to within rounding. */
  readonly energyTotal: number;
  /** The standard error of `energyTotal`, which `factored` estimates; 0 for the others, which know it to rounding. */
  readonly energyTotalError: number;
  /** Measured: ‖W G − U Σ Vᵀ G‖_F / ‖W G‖_F over a few random vectors G (0 when W is zero). At least the dropped share, up to sampling error. */
  readonly residual: number;
  readonly seconds: number;
}

/**
 * A sum that takes its terms in batches. What it holds is at most `plan.scratchBytes`, whatever the number of terms.
 *
 * One call at a time: another is refused while one is under way. After a call that failed the sum is of no use any more, and what it held
 * is free.
 */
export interface KernelSum {
  readonly plan: KernelPlan;
  /**
   * Adds terms in their order, off the event loop. As many calls as wanted: how the terms are split among them does not change a byte of
   * the answer. Their factors are free again when it settles; for the methods `factored` (all of them) and `accumulated` (the last few) they are
   * held and read where they lie until `truncate` settles, so that they must neither be written nor transferred before.
   *
   * @throws {KernelError} for terms that it refuses (shapes, values that are not finite: the message names module, term and factor) and for
   * ranks beyond `rankSum` (`badRank`).
   */
  add(terms: readonly KernelTerm[], signal?: AbortSignal): Promise<void>;
  /**
   * The answer, once; frees what was held.
   *
   * @throws {KernelError} `badRank` where ranks are missing from `rankSum`, `notConverged` where no method reaches the tolerance.
   */
  truncate(signal?: AbortSignal): Promise<TruncatedSum>;
  /** Frees what is held; cancels a call under way. Whoever does not come to `truncate` must call it; any number of times. */
  release(): void;
}

/** The one door to the arithmetic. `native` and `portable` pass the same suite. */
export interface Kernel {
  readonly name: 'native' | 'portable';
  /** @throws {KernelError} for sizes that it refuses: sides or rank of 0, a tolerance below `TOLERANCE_EXACT`, more memory than is allowed. */
  beginSum(request: SumRequest): KernelSum;
  /**
   * Sums the terms and truncates: a `KernelSum` of one batch, for sums whose factors are small enough to be held all at once.
   *
   * @throws {KernelError} as `beginSum`, `add` and `truncate` do.
   */
  truncate(request: TruncateRequest, signal?: AbortSignal): Promise<TruncatedSum>;
}

export type KernelErrorCode =
  | 'badShape'
  | 'badRank'
  | 'badTolerance'
  /** There is no such method, or it does not apply to these sizes. */
  | 'badMethod'
  /** More memory than is allowed. */
  | 'tooLarge'
  | 'notFinite'
  | 'notConverged'
  | 'cancelled'
  | 'internal';

/** What the kernel refuses or could not do. The message says what was got, what is allowed and what to do. */
export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;

  constructor(code: KernelErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
