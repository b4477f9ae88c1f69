import { KernelError, type KernelErrorCode, type TruncatedSum } from './kernel.ts';

/** Why a call was refused, as plain data. */
export interface PlainRefusal {
  readonly code: KernelErrorCode;
  readonly message: string;
}

/** How one call ended, as plain data: what crosses the border of the native addon and of the worker thread. */
export interface Outcome {
  /** At most one of the two is there; both are null where a call had nothing to answer. */
  readonly answer: TruncatedSum | null;
  readonly refusal: PlainRefusal | null;
}

/** @throws {KernelError} where the call was refused. */
export function checkOutcome({ refusal }: Pick<Outcome, 'refusal'>): void {
  if (refusal !== null) throw new KernelError(refusal.code, refusal.message);
}

/** @throws {KernelError} where the call was refused. */
export function answerOf(outcome: Outcome): TruncatedSum {
  checkOutcome(outcome);
  if (outcome.answer !== null) return outcome.answer;
  throw new KernelError('internal', 'the kernel gave no answer');
}

export function cancelled(module: string): KernelError {
  return new KernelError('cancelled', `module ${JSON.stringify(module)}: the call was cancelled`);
}
