import type { AwaitAssignmentRequest, AwaitAssignmentResponse } from '@flexlora/contracts/agent/v1/agent_service';
import type { WaitedFor } from './rpc-latency.ts';

/**
 * A request for work is held until there is some, or for as long as the agent allows: what counts is how long after the hand-out the
 * assignment came, or after the end of the wait the answer without one.
 */
export const heldCalls = (collectingMs: number): Readonly<Record<string, WaitedFor>> => ({
  'AgentService/AwaitAssignment': ({ request, response, elapsedMs }) => {
    const { waitMsMax } = request as AwaitAssignmentRequest;
    const { answer } = response as AwaitAssignmentResponse;
    switch (answer?.$case) {
      case 'assignment': {
        // The server tells how much of the round is left: the rest has gone by since the hand-out.
        const sinceHandOutMs = collectingMs - answer.value.deadlineInMs;
        return Math.min(elapsedMs, Math.max(0, sinceHandOutMs));
      }
      case 'comeBack':
        return elapsedMs > waitMsMax ? elapsedMs - waitMsMax : null;
      case 'runEnded':
      case undefined:
        return null;
    }
  },
});
