import { KernelError, type KernelTerm, type SumRequest, TOLERANCE } from '../kernel.ts';
import {
  type AccumulatedSum,
  addToAccumulated,
  createAccumulated,
  iterateAccumulated,
  scaleAccumulated,
  tallOf,
} from './accumulated.ts';
import { type Canonical, canonical } from './canonical.ts';
import type { TermSize } from './check-request.ts';
import type { CheckedSum } from './checked-sum.ts';
import { type Columns, scaleByPowerOfTwo } from './columns.ts';
import { blocksMax } from './cost.ts';
import { addToTall, createTall, decomposeDense } from './dense.ts';
import type { Heap } from './heap.ts';
import { type PortableMethod, planOf, shapeOf } from './plan.ts';
import { addFactorsToProof, addToProof, type Proof } from './proof.ts';
import { stackOf } from './stack.ts';
import { decomposeStacked } from './stacked.ts';

/** Where the terms cancel, rounding errors may reach this share of ‖W‖_F before float32 gives way: 1e-5, squared. */
const ROUNDING_SQUARED_MAX = 1e-10;

/** What a sum holds between its calls, one way for each method. */
export type HeldValues =
  | { readonly method: 'stacked'; readonly b: Float64Array[]; readonly aTransposed: Float64Array[] }
  | { readonly method: 'accumulated'; readonly sum: AccumulatedSum }
  /** W or its transpose. */
  | { readonly method: 'dense'; readonly tall: Columns };

export function createHeld(method: PortableMethod, { out, in: cols, rankSum }: SumRequest): HeldValues {
  switch (method) {
    case 'stacked':
      return { method, b: [], aTransposed: [] };
    case 'accumulated':
      return { method, sum: createAccumulated(out, cols, rankSum) };
    case 'dense':
      return { method, tall: createTall(out, cols) };
  }
}

export function arraysOf(held: HeldValues): readonly (Float32Array | Float64Array)[] {
  switch (held.method) {
    case 'stacked':
      return [...held.b, ...held.aTransposed];
    case 'accumulated':
      return [held.sum.w, held.sum.groupA, held.sum.groupB];
    case 'dense':
      return held.tall;
  }
}

/** Adds a term and its part of the proof; `coefficient` is the term's at the scale of what is held. */
export function addToHeld(
  lendHeap: () => Heap,
  held: HeldValues,
  proof: Proof,
  term: KernelTerm,
  { aExponent }: TermSize,
  coefficient: number,
): void {
  if (held.method === 'accumulated') {
    addFactorsToProof(lendHeap(), proof, term, coefficient);
    addToAccumulated(lendHeap(), held.sum, term, coefficient, aExponent);
    return;
  }
  const columns = stackOf(term, coefficient);
  addToProof(proof, columns);
  if (held.method === 'dense') addToTall(held.tall, columns);
  else {
    held.b.push(...columns.b);
    held.aTransposed.push(...columns.aTransposed);
  }
}

/** What is held times `2^power`. */
export function scaleHeld(held: HeldValues, power: number): void {
  switch (held.method) {
    case 'stacked':
      scaleByPowerOfTwo(held.b, power);
      break;
    case 'accumulated':
      scaleAccumulated(held.sum, power);
      break;
    case 'dense':
      scaleByPowerOfTwo(held.tall, power);
      break;
  }
}

/** The answer and how it came about. */
export interface Decomposed {
  readonly answer: Canonical;
  readonly method: PortableMethod;
  readonly excess: number;
  readonly blocks: number;
}

/** Overwrites what is held. */
export function decomposeHeld(
  lendHeap: () => Heap,
  held: HeldValues,
  sum: CheckedSum,
  request: SumRequest,
  memoryBytes: number,
): Decomposed {
  const { method } = held;
  switch (method) {
    case 'stacked':
      return { answer: canonical(decomposeStacked(held, sum), sum), method, excess: 0, blocks: 0 };
    case 'accumulated':
      return decomposeAccumulated(lendHeap(), held.sum, sum, request, memoryBytes);
    case 'dense':
      return { answer: canonical(decomposeDense(held.tall, sum), sum), method, excess: 0, blocks: 0 };
  }
}

/** The iteration's answer where it reached the tolerance, else that of the dense method where memory allows. */
export function decomposeAccumulated(
  heap: Heap,
  held: AccumulatedSum,
  sum: CheckedSum,
  request: SumRequest,
  memoryBytes: number,
  blocksAllowed = blocksMax(shapeOf(request)),
): Decomposed {
  const { tolerance = TOLERANCE } = request;
  const { decomposition, isConverged, excess, blocks } = iterateAccumulated(heap, held, sum, {
    tolerance,
    blocksMax: blocksAllowed,
  });
  const answer = canonical(decomposition, sum);
  const rounding = (sum.roundoff * sum.magnitude) ** 2;
  const dropped = Math.max(0, answer.energyTotal - answer.energyKept);
  const allowed = Math.max(ROUNDING_SQUARED_MAX * answer.energyKept, (tolerance ** 2 - 1) * dropped);
  // A sum that is nothing but rounding is zero.
  const isRounded = answer.energyTotal > 0 && rounding > allowed;
  if (isConverged && !isRounded) return { answer, method: 'accumulated', excess, blocks };
  const shape = shapeOf(request);
  const denseBytes = planOf('dense', shape).scratchBytes;
  if (!isRounded && denseBytes + planOf('accumulated', shape).scratchBytes <= memoryBytes) {
    return { answer: canonical(decomposeDense(tallOf(held), sum), sum), method: 'dense', excess: 0, blocks };
  }
  const reached = isRounded
    ? `its terms cancel to ${(Math.sqrt(answer.energyTotal) / sum.magnitude).toExponential(3)} of their size, which the float32 of the method accumulated does not resolve`
    : `the method accumulated came to ${1 + excess} times the smallest error in ${blocks} blocks; ${tolerance} is allowed`;
  throw new KernelError(
    'notConverged',
    `module ${JSON.stringify(sum.module)}: ${reached}: ask for the method dense, for which the kernel must be allowed ${denseBytes} bytes of memory, or for a larger tolerance`,
  );
}
