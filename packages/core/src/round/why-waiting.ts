import type { RoundState } from './round-state.ts';
import { headOf, type RunHead } from './run-head.ts';
import { sentenceOf, waitingFor } from './waiting.ts';

/** One sentence for an operator: what the run waits for, or how it ended. */
export const whyWaiting = (state: RoundState, nowMs: number): string => whyHeadWaits(headOf(state, nowMs), nowMs);

/** The same from the head alone, for doors; agents are counted as of the head's writing. */
export const whyHeadWaits = (head: RunHead, nowMs: number): string => sentenceOf(waitingFor(head, nowMs));
