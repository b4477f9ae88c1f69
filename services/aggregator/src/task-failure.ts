import { KernelError, type KernelErrorCode } from '@flexlora/kernel';
import type { Verdict } from './translate.ts';

/** Why a task could not be done, and whether another try may help. */
export interface TaskFailure {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** The kernel's answer depends on its input alone, so what it refuses once it refuses always. */
const VERDICT_OF_CODE: Readonly<Record<KernelErrorCode, Verdict>> = {
  badShape: 'refused',
  badRank: 'refused',
  notFinite: 'refused',
  notConverged: 'refused',
  cancelled: 'retry',
  internal: 'retry',
};

export function taskFailureOf(error: unknown): TaskFailure {
  if (error instanceof KernelError) return { verdict: VERDICT_OF_CODE[error.code], reason: error.message };
  return { verdict: 'retry', reason: error instanceof Error ? error.message : String(error) };
}
