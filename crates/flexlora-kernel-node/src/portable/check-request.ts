import {
  type Factor,
  KernelError,
  type KernelErrorCode,
  type KernelMethod,
  type KernelTerm,
  type SumRequest,
  TOLERANCE,
  TOLERANCE_EXACT,
} from '../kernel.ts';
import { BYTES_PER_VALUE, createFactorReader } from './factor.ts';
import { PORTABLE_METHODS, type PortableMethod, type PortablePlan, plan, shapeOf } from './plan.ts';
import { exponentOf } from './scale.ts';

/** Values in one output matrix at most: 4 GiB of float32, far above any layer, and a bound on what a wrong shape can allocate. */
export const OUTPUT_VALUES_MAX = 2 ** 30;

/** Checks what is known before the terms, and says how they will be summed. */
export function checkSizes(request: SumRequest, memoryBytes: number): PortablePlan {
  const { module, out, in: cols, rank, rankSum, tolerance = TOLERANCE, method } = request;
  const place = `module ${JSON.stringify(module)}`;
  whole(out, 'badShape', `${place}: out`);
  whole(cols, 'badShape', `${place}: in`);
  whole(rank, 'badRank', `${place}: rank`);
  whole(rankSum, 'badRank', `${place}: rankSum`);
  if (out === 0 || cols === 0) {
    refuse(
      'badShape',
      `${place}: the shape is ${out} x ${cols}; both sides must be at least 1: give the shape of the layer`,
    );
  }
  if (rank === 0) {
    refuse('badRank', `${place}: rank is 0; at least 1 is allowed: ask for the components that are to be kept`);
  }
  const kept = Math.min(rank, out, cols);
  if (kept * Math.max(out, cols) > OUTPUT_VALUES_MAX) {
    refuse(
      'badShape',
      `${place}: rank ${kept} of ${out} x ${cols} is more than ${OUTPUT_VALUES_MAX} values a factor: ask for a lower rank`,
    );
  }
  if (!(Number.isFinite(tolerance) && tolerance >= TOLERANCE_EXACT)) {
    refuse(
      'badTolerance',
      `${place}: the tolerance is ${tolerance}; allowed is ${TOLERANCE_EXACT} and above: ask for ${TOLERANCE}`,
    );
  }
  if (method !== undefined && !isPortable(method)) {
    refuse(
      'badMethod',
      `${place}: the method is ${JSON.stringify(method)}; allowed are ${PORTABLE_METHODS.join(', ')}: name one of them, or none, or use the native kernel`,
    );
  }
  const planned = plan(shapeOf(request), method ?? null, memoryBytes);
  switch (planned.kind) {
    case 'planned':
      return planned.plan;
    case 'tooLarge':
      refuse(
        'tooLarge',
        `${place}: the sum of ranks ${rankSum} at ${out} x ${cols} takes ${planned.scratchBytes} bytes by the method ${planned.method}; allowed are ` +
          `${memoryBytes}: allow the kernel more memory, or sum fewer terms at a time`,
      );
      break;
    case 'doesNotApply':
      refuse(
        'badMethod',
        `${place}: the method ${planned.method} takes a sum of ranks below ${Math.min(out, cols)}; it is ${rankSum}: ask for another method, or for none`,
      );
  }
}

function isPortable(method: KernelMethod): method is PortableMethod {
  return PORTABLE_METHODS.some((each) => each === method);
}

/** Refuses terms beyond the declared ranks. */
export function checkRoom({ module, rankSum }: SumRequest, ranks: number): void {
  if (ranks <= rankSum) return;
  refuse(
    'badRank',
    `module ${JSON.stringify(module)}: the ranks of the terms sum to ${ranks} so far; ${rankSum} were declared: declare the sum of the ranks of all terms`,
  );
}

/** Refuses to truncate before all declared ranks are there. */
export function checkComplete({ module, rankSum }: SumRequest, ranks: number): void {
  if (ranks === rankSum) return;
  refuse(
    'badRank',
    `module ${JSON.stringify(module)}: the ranks of the terms sum to ${ranks}; ${rankSum} were declared: add all terms before the sum is truncated`,
  );
}

/** What a term weighs, from one pass over its factors. */
export interface TermSize {
  /** null where the product is exactly zero. */
  readonly exponent: number | null;
  /** Of the largest value of A. */
  readonly aExponent: number;
  /** ‖B‖_F ‖A‖_F. */
  readonly norms: number;
}

/** Checks everything of a term, its values included. */
export function checkTerm(request: SumRequest, { label, coefficient, b, a }: KernelTerm): TermSize {
  const place = `module ${JSON.stringify(request.module)}, term ${JSON.stringify(label)}`;
  for (const [name, factor] of [['lora_B', b] as const, ['lora_A', a] as const]) {
    if (!(factor.dtype in BYTES_PER_VALUE)) {
      refuse(
        'badShape',
        `${place}, ${name}: dtype ${JSON.stringify(factor.dtype)}; allowed are F32, F16 and BF16: convert the factor`,
      );
    }
    whole(factor.rows, 'badShape', `${place}, ${name}: rows`);
    whole(factor.cols, 'badShape', `${place}, ${name}: cols`);
  }
  if (b.rows !== request.out || a.cols !== request.in || b.cols !== a.rows) {
    refuse(
      'badShape',
      `${place}: lora_B is ${b.rows} x ${b.cols} and lora_A is ${a.rows} x ${a.cols}; allowed are ${request.out} x r and r x ${request.in} ` +
        'with one r: check the adapter against the base model',
    );
  }
  if (a.rows === 0) {
    refuse('badRank', `${place}: the rank of its factors is 0; at least 1 is allowed: leave the term out`);
  }
  if (!Number.isFinite(coefficient)) {
    refuse(
      'notFinite',
      `${place}: the coefficient is ${coefficient}; it must be a finite number: check weight and scaling`,
    );
  }
  const left = scanFactor(`${place}, lora_B`, b);
  const right = scanFactor(`${place}, lora_A`, a);
  const product = left.largest * right.largest;
  const isZero = coefficient === 0 || product === 0;
  return {
    exponent: isZero ? null : exponentOf(coefficient) + exponentOf(product),
    aExponent: exponentOf(right.largest),
    norms: left.norm * right.norm,
  };
}

function scanFactor(place: string, factor: Factor): { readonly largest: number; readonly norm: number } {
  const each = BYTES_PER_VALUE[factor.dtype];
  const count = factor.rows * factor.cols;
  if (factor.bytes.byteLength !== count * each) {
    refuse(
      'badShape',
      `${place}: ${factor.bytes.byteLength} bytes for ${factor.rows} x ${factor.cols} of ${factor.dtype}; every value takes ${each} bytes: ` +
        'check dtype and shape',
    );
  }
  const read = createFactorReader(factor);
  let largest = 0;
  let squares = 0;
  for (let index = 0; index < count; index += 1) {
    const value = read(index);
    if (!Number.isFinite(value)) {
      const position = `[${Math.floor(index / factor.cols)}, ${index % factor.cols}]`;
      refuse('notFinite', `${place}${position} is ${value}; only finite numbers can be summed: leave this update out`);
    }
    largest = Math.max(largest, Math.abs(value));
    squares += value * value;
  }
  return { largest, norm: Math.sqrt(squares) };
}

function whole(value: number, code: KernelErrorCode, place: string): void {
  if (Number.isSafeInteger(value) && value >= 0) return;
  refuse(code, `${place} is ${value}; a whole number that is not negative is needed: correct the shape`);
}

function refuse(code: KernelErrorCode, message: string): never {
  throw new KernelError(code, message);
}
