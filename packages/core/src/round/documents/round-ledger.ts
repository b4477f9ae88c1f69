import type { AgentId, RunId } from '../../ids.ts';
import type { CountedUpdate } from '../round-state.ts';

/** The updates that a round is made of, in the order of agent ids: the order in which they are summed. */
export interface RoundLedger {
  readonly version: 1;
  readonly runId: RunId;
  readonly round: number;
  readonly samples: number;
  readonly updates: readonly LedgerUpdate[];
}

export interface LedgerUpdate extends CountedUpdate {
  readonly agentId: AgentId;
}
