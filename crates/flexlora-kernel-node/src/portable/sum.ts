import { type KernelTerm, type SumRequest, TOLERANCE, type TruncatedSum } from '../kernel.ts';
import { canonical } from './canonical.ts';
import { checkComplete, checkRoom, checkTerm, type TermSize } from './check-request.ts';
import type { CheckedSum } from './checked-sum.ts';
import { type Columns, scaleByPowerOfTwo } from './columns.ts';
import { type Decomposition, NO_COMPONENTS } from './decomposition.ts';
import { addToTall, createTall, decomposeDense } from './dense.ts';
import { plan } from './plan.ts';
import { addToProof, createProof, measureResidual, type Proof } from './proof.ts';
import { seedBits } from './random.ts';
import { timesPowerOfTwo } from './scale.ts';
import { stackOf } from './stack.ts';
import { decomposeStacked } from './stacked.ts';

/**
 * A sum between its calls, as plain data: it travels to the worker thread and back, so that the thread has no memory of its own and may
 * be ended at any time. The same steps, in the same order and with the same names, as `flexlora-kernel` in Rust; every one goes term by
 * term, so the batches leave no trace in the answer.
 */
export interface SumState {
  rankAdded: number;
  /** The largest of the terms' so far; null while all of them are zero. */
  exponent: number | null;
  magnitude: number;
  /** Of the calls so far. */
  seconds: number;
  readonly held: HeldValues;
  readonly proof: Proof;
}

type HeldValues =
  | { readonly method: 'stacked'; readonly b: Float64Array[]; readonly aTransposed: Float64Array[] }
  /** W or its transpose. */
  | { readonly method: 'dense'; readonly tall: Columns };

export function createSumState(request: SumRequest): SumState {
  const { out, in: cols } = request;
  const { method } = plan(request);
  const held: HeldValues =
    method === 'stacked' ? { method, b: [], aTransposed: [] } : { method, tall: createTall(out, cols) };
  return { rankAdded: 0, exponent: null, magnitude: 0, seconds: 0, held, proof: createProof(out, cols) };
}

/** Every array of the state, for its way to another thread. */
export function buffersOf({ held, proof }: SumState): ArrayBuffer[] {
  const values = held.method === 'stacked' ? [...held.b, ...held.aTransposed] : held.tall;
  return [...values, ...proof.probes, ...proof.image].map(({ buffer }) => buffer as ArrayBuffer);
}

/** Adds the terms in their order; all of them are checked before the first is added. A null state is that of a sum of nothing. */
export function addTerms(request: SumRequest, state: SumState | null, terms: readonly KernelTerm[]): SumState | null {
  const startMs = performance.now();
  const sizes = terms.map((term) => checkTerm(request, term));
  checkRoom(
    request,
    terms.reduce((ranks, { a }) => ranks + a.rows, state?.rankAdded ?? 0),
  );
  if (terms.length === 0) return state;
  const sum = state ?? createSumState(request);
  for (const [k, term] of terms.entries()) addTerm(sum, term, sizes[k]!);
  sum.seconds += (performance.now() - startMs) / 1000;
  return sum;
}

function addTerm(state: SumState, term: KernelTerm, size: TermSize): void {
  if (size.exponent !== null) {
    const before = state.exponent ?? size.exponent;
    if (size.exponent > before) scaleState(state, before - size.exponent);
    state.exponent = Math.max(before, size.exponent);
  }
  // A product that is zero is held as zero: its coefficient says nothing of the scale.
  const coefficient = size.exponent === null ? 0 : timesPowerOfTwo(term.coefficient, -(state.exponent ?? 0));
  const columns = stackOf(term, coefficient);
  addToProof(state.proof, columns);
  switch (state.held.method) {
    case 'stacked':
      state.held.b.push(...columns.b);
      state.held.aTransposed.push(...columns.aTransposed);
      break;
    case 'dense':
      addToTall(state.held.tall, columns);
      break;
  }
  state.magnitude += Math.abs(coefficient) * size.norms;
  state.rankAdded += term.a.rows;
}

function scaleState(state: SumState, power: number): void {
  scaleByPowerOfTwo(state.held.method === 'stacked' ? state.held.b : state.held.tall, power);
  scaleByPowerOfTwo(state.proof.image, power);
  state.magnitude = timesPowerOfTwo(state.magnitude, power);
}

/** The answer; overwrites the state. */
export function truncateSum(request: SumRequest, state: SumState | null): TruncatedSum {
  const startMs = performance.now();
  checkComplete(request, state?.rankAdded ?? 0);
  const sum: CheckedSum = {
    module: request.module,
    out: request.out,
    in: request.in,
    rank: Math.min(request.rank, request.out, request.in),
    seed: seedBits(request.completionSeed),
    exponent: state?.exponent ?? 0,
    magnitude: state?.magnitude ?? 0,
  };
  const found = state === null || sum.magnitude === 0 ? NO_COMPONENTS : decompose(state.held, sum);
  const answer = canonical(found, sum);
  const residual = state === null ? 0 : measureResidual(state.proof, sum, answer);
  const planned = plan(request);
  return {
    rank: sum.rank,
    u: answer.u,
    singularValues: answer.values.map((s) => timesPowerOfTwo(s, sum.exponent)),
    v: answer.v,
    method: planned.method,
    plan: planned,
    converged: true,
    fallbackFrom: null,
    blocks: 0,
    operations: planned.operations,
    tolerance: request.tolerance ?? TOLERANCE,
    excess: 0,
    rankSum: request.rankSum,
    energyKept: timesPowerOfTwo(answer.energyKept, 2 * sum.exponent),
    energyTotal: timesPowerOfTwo(answer.energyTotal, 2 * sum.exponent),
    energyTotalError: 0,
    residual,
    seconds: (state?.seconds ?? 0) + (performance.now() - startMs) / 1000,
  };
}

function decompose(held: HeldValues, sum: CheckedSum): Decomposition {
  switch (held.method) {
    case 'stacked':
      return decomposeStacked(held, sum);
    case 'dense':
      return decomposeDense(held.tall, sum);
  }
}
