import {
  type AgentId,
  type Assignment,
  isRefusal,
  type Refusal,
  type RunId,
  type RunSpec,
  refuse,
  type Sha256Hex,
  takesUpdate,
} from '@flexlora/core';
import type { RunReader } from '../run-reader.ts';

/** What a run says of an agent's update for a round, before the machine has the last word. */
export type UploadStanding =
  | {
      readonly kind: 'wanted';
      readonly spec: RunSpec;
      readonly assignment: Assignment;
      /** Since when the run is in this phase: the round may be opened again. */
      readonly sinceMs: number;
    }
  | { readonly kind: 'accepted'; readonly objectName: string; readonly digest: Sha256Hex; readonly countsIn: number }
  /** The round takes no update any more, whatever becomes of the run. */
  | { readonly kind: 'over'; readonly refusal: Refusal }
  /** Not now: after the loss of the round store a run is unknown, then its agents are, and later they are not. */
  | Refusal;

export async function readUploadStanding(
  reader: RunReader,
  runId: RunId,
  round: number,
  agentId: AgentId,
): Promise<UploadStanding> {
  const view = await reader.readAgent(runId, agentId);
  if (view === null) return refuse('unknownRun', `there is no run ${runId}; allowed: a run that ListRuns shows`);
  const { head, agent, member } = view;
  if (agent === null)
    return refuse('unknownAgent', `agent ${agentId} is not enrolled in run ${runId}; call Enrol first`);
  const accepted = agent.lastAccepted;
  if (accepted !== null && accepted.round === round) {
    const { objectName, digest, carriedInto } = accepted;
    return { kind: 'accepted', objectName, digest, countsIn: carriedInto ?? round };
  }
  const delivery = takesUpdate(head, agent, member, agentId, round);
  if (!isRefusal(delivery)) {
    return { kind: 'wanted', spec: head.spec, assignment: delivery.assignment, sinceMs: head.phase.sinceMs };
  }
  // A round that recruits was opened again, or found again: it may want the update later.
  const mayBeWanted = round === head.round && head.phase.kind === 'recruiting';
  return delivery.reason === 'late' && !mayBeWanted ? { kind: 'over', refusal: delivery } : delivery;
}
