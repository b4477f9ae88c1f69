import {
  type AgentId,
  type Assignment,
  type Refusal,
  type RunId,
  type RunSpec,
  refuse,
  type Sha256Hex,
} from '@flexlora/core';
import type { RunReader } from '../run-reader.ts';

/** What a run says of an agent's update for a round, before the machine has the last word. */
export type UploadStanding =
  | {
      readonly kind: 'wanted';
      readonly spec: RunSpec;
      readonly assignment: Assignment;
      /** Since when the round collects: it may be opened again. */
      readonly sinceMs: number;
    }
  | { readonly kind: 'accepted'; readonly objectName: string; readonly digest: Sha256Hex }
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
    return { kind: 'accepted', objectName: accepted.objectName, digest: accepted.digest };
  }
  if (round > head.round) {
    return refuse(
      'unknownRound',
      `round is ${round}; the open round of run ${runId} is ${head.round}: use the round of the assignment`,
    );
  }
  if (round < head.round || head.phase.kind !== 'collecting') {
    const refusal = refuse(
      'late',
      `round ${round} of run ${runId} takes no more updates: it is in round ${head.round}, ${head.phase.kind}; drop this update and ask AwaitAssignment for the next`,
    );
    // A round that recruits was opened again, or found again: it may want the update later.
    return round < head.round || head.phase.kind !== 'recruiting' ? { kind: 'over', refusal } : refusal;
  }
  if (member === null) {
    return refuse('notAssigned', `agent ${agentId} has no assignment in round ${round}; ask AwaitAssignment for one`);
  }
  return { kind: 'wanted', spec: head.spec, assignment: member.assignment, sinceMs: head.phase.sinceMs };
}
