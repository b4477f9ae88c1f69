import { KernelError, type KernelErrorCode, type TruncatedSum } from './kernel.ts';

/** How one call ended, as plain data: what crosses the border of the native addon and of the worker thread. */
export interface Outcome {
  /** Exactly one of the two is there; the other is null. */
  readonly answer: TruncatedSum | null;
  readonly refusal: { readonly code: KernelErrorCode; readonly message: string } | null;
}

/** @throws {KernelError} where the call was refused. */
export function answerOf(outcome: Outcome): TruncatedSum {
  if (outcome.answer !== null) return outcome.answer;
  throw new KernelError(outcome.refusal?.code ?? 'internal', outcome.refusal?.message ?? 'the kernel gave no answer');
}

export function cancelled(module: string): KernelError {
  return new KernelError('cancelled', `module ${JSON.stringify(module)}: the call was cancelled`);
}
