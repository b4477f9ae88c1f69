import { type KernelTerm, type SumRequest, TOLERANCE, type TruncatedSum } from '../kernel.ts';
import { canonical } from './canonical.ts';
import { checkComplete, checkRoom, checkTerm, type TermSize } from './check-request.ts';
import type { CheckedSum } from './checked-sum.ts';
import { scaleByPowerOfTwo } from './columns.ts';
import { cost } from './cost.ts';
import { NO_COMPONENTS } from './decomposition.ts';
import type { Heap } from './heap.ts';
import { addToHeld, arraysOf, createHeld, type Decomposed, decomposeHeld, type HeldValues, scaleHeld } from './held.ts';
import { type PortablePlan, shapeOf } from './plan.ts';
import { createProof, measureResidual, type Proof } from './proof.ts';
import { seedBits } from './random.ts';
import { timesPowerOfTwo } from './scale.ts';

/** What is asked for and how it is done: the same for every call on a sum. */
export interface SumJob {
  readonly request: SumRequest;
  readonly plan: PortablePlan;
  readonly memoryBytes: number;
}

/**
 * A sum between its calls, as plain data: it travels to the worker thread and back, so that the thread has no memory of its own and may
 * be ended at any time. The same steps, in the same order and with the same names, as `flexlora-kernel` in Rust; every one goes term by
 * term or at fixed columns, so the batches leave no trace in the answer.
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

function createSumState({ request, plan }: SumJob): SumState {
  const held = createHeld(plan.method, request);
  return { rankAdded: 0, exponent: null, magnitude: 0, seconds: 0, held, proof: createProof(request.out, request.in) };
}

/** Every array of the state, for its way to another thread. */
export function buffersOf({ held, proof }: SumState): ArrayBuffer[] {
  return [...arraysOf(held), ...proof.probes, ...proof.image].map(({ buffer }) => buffer as ArrayBuffer);
}

/**
 * Adds the terms in their order; all of them are checked before the first is added. A null state is that of a sum of nothing. Only the method
 * `accumulated` asks for the heap.
 */
export function addTerms(
  job: SumJob,
  state: SumState | null,
  terms: readonly KernelTerm[],
  lendHeap: () => Heap,
): SumState | null {
  const startMs = performance.now();
  const sizes = terms.map((term) => checkTerm(job.request, term));
  checkRoom(
    job.request,
    terms.reduce((ranks, { a }) => ranks + a.rows, state?.rankAdded ?? 0),
  );
  if (terms.length === 0) return state;
  const sum = state ?? createSumState(job);
  for (const [k, term] of terms.entries()) addTerm(sum, term, sizes[k]!, lendHeap);
  sum.seconds += (performance.now() - startMs) / 1000;
  return sum;
}

function addTerm(state: SumState, term: KernelTerm, size: TermSize, lendHeap: () => Heap): void {
  if (size.exponent !== null) {
    const before = state.exponent ?? size.exponent;
    if (size.exponent > before) scaleState(state, before - size.exponent);
    state.exponent = Math.max(before, size.exponent);
  }
  // A product that is zero is held as zero: its coefficient says nothing of the scale.
  const coefficient = size.exponent === null ? 0 : timesPowerOfTwo(term.coefficient, -(state.exponent ?? 0));
  addToHeld(lendHeap, state.held, state.proof, term, size, coefficient);
  state.magnitude += Math.abs(coefficient) * size.norms;
  state.rankAdded += term.a.rows;
}

function scaleState(state: SumState, power: number): void {
  scaleHeld(state.held, power);
  scaleByPowerOfTwo(state.proof.image, power);
  state.magnitude = timesPowerOfTwo(state.magnitude, power);
}

/** The answer; overwrites the state. */
export function truncateSum(job: SumJob, state: SumState | null, lendHeap: () => Heap): TruncatedSum {
  const startMs = performance.now();
  const { request, plan } = job;
  checkComplete(request, state?.rankAdded ?? 0);
  const sum: CheckedSum = {
    module: request.module,
    out: request.out,
    in: request.in,
    rank: Math.min(request.rank, request.out, request.in),
    seed: seedBits(request.completionSeed),
    exponent: state?.exponent ?? 0,
    magnitude: state?.magnitude ?? 0,
    roundoff: plan.method === 'accumulated' ? 2 ** -24 : Number.EPSILON,
  };
  const { answer, method, excess, blocks } =
    state === null || sum.magnitude === 0
      ? zeroOf(sum, plan)
      : decomposeHeld(lendHeap, state.held, sum, request, job.memoryBytes);
  const residual = state === null ? 0 : measureResidual(state.proof, sum, answer);
  return {
    rank: sum.rank,
    u: answer.u,
    singularValues: answer.values.map((s) => timesPowerOfTwo(s, sum.exponent)),
    v: answer.v,
    method,
    plan,
    converged: method === plan.method,
    fallbackFrom: method === plan.method ? null : plan.method,
    blocks,
    operations: operationsOf(job, method, blocks),
    tolerance: request.tolerance ?? TOLERANCE,
    excess,
    rankSum: request.rankSum,
    energyKept: timesPowerOfTwo(answer.energyKept, 2 * sum.exponent),
    energyTotal: timesPowerOfTwo(answer.energyTotal, 2 * sum.exponent),
    energyTotalError: 0,
    residual,
    seconds: (state?.seconds ?? 0) + (performance.now() - startMs) / 1000,
  };
}

function zeroOf(sum: CheckedSum, { method }: PortablePlan): Decomposed {
  return { answer: canonical(NO_COMPONENTS, sum), method, excess: 0, blocks: 0 };
}

/** Of the planned method, and of the one that took its place. */
function operationsOf({ request, plan }: SumJob, method: PortablePlan['method'], blocks: number): number {
  const shape = shapeOf(request);
  const planned = cost(plan.method, shape, blocks).operations;
  return method === plan.method ? planned : planned + cost(method, shape, 0).operations;
}
