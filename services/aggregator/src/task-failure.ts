import { KernelError, type KernelErrorCode } from '@flexlora/kernel';
import { ObjectStoreFault } from '@flexlora/stores';
import type { Verdict } from './translate.ts';

/** Why a task was not done, and what becomes of it. */
export interface TaskFailure {
  readonly verdict: Verdict;
  readonly reason: string;
}

/** The kernel's answer depends on its input alone, so what it refuses once it refuses always; but another aggregator may allow it more memory. */
const VERDICT_OF_CODE: Readonly<Record<KernelErrorCode, Verdict>> = {
  badShape: 'refused',
  badRank: 'refused',
  badTolerance: 'refused',
  badMethod: 'refused',
  tooLarge: 'retry',
  notFinite: 'refused',
  notConverged: 'refused',
  cancelled: 'retry',
  internal: 'retry',
};

/** An object that is missing or cut off is no absence of the store: it answered, and another try is one of few. */
export function taskFailureOf(error: unknown): TaskFailure {
  if (error instanceof ObjectStoreFault) return { verdict: 'handedBack', reason: error.message };
  if (error instanceof KernelError) return { verdict: VERDICT_OF_CODE[error.code], reason: error.message };
  return { verdict: 'retry', reason: error instanceof Error ? error.message : String(error) };
}
