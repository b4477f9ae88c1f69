import {
  AggregationServiceClient,
  type ClaimTaskResponse,
  type TaskRef,
} from '@flexlora/contracts/aggregation/v1/aggregation_service';
import type { AggregatorId, TaskResult } from '@flexlora/core';
import { type ChannelOptions, type Clock, callUnary, grpcTransport, type Transport } from '@flexlora/runtime';
import { CLAIM_DEADLINE_MS, CLAIM_WAIT_MS, COMPLETE_DEADLINE_MS, FAIL_DEADLINE_MS } from './limits.ts';
import type { TaskFailure } from './task-failure.ts';
import { completeTaskMessage, verdictMessage } from './translate.ts';

/** The orchestrator's AggregationService, as this aggregator. Errors are those of `callUnary`: read them with `failureOf`. */
export interface TaskDoor {
  /** @param claimId 8 hexadecimal digits: the same after an answer that was lost brings the same task. */
  claim(claimId: string, signal: AbortSignal): Promise<ClaimTaskResponse['answer']>;
  /** @returns how long the lease holds from now. */
  renew(task: TaskRef, deadlineMs: number, signal: AbortSignal): Promise<number>;
  complete(task: TaskRef, result: TaskResult, signal: AbortSignal): Promise<void>;
  fail(task: TaskRef, failure: TaskFailure): Promise<void>;
  close(): void;
}

export function connectTaskDoor(
  { transport = grpcTransport, clock }: { readonly transport?: Transport; readonly clock: Clock },
  channel: ChannelOptions,
  aggregatorId: AggregatorId,
): TaskDoor {
  const client = transport.connect(AggregationServiceClient, channel);
  return {
    claim: async (claimId, signal) => {
      const request = { aggregatorId, waitMsMax: CLAIM_WAIT_MS, claimId };
      const options = { deadlineMs: CLAIM_DEADLINE_MS, clock, signal };
      return (await callUnary(client, client.claimTask, request, options)).answer;
    },
    renew: async (task, deadlineMs, signal) =>
      (await callUnary(client, client.renewTask, { aggregatorId, task }, { deadlineMs, clock, signal })).leaseMs,
    complete: async (task, result, signal) => {
      const request = completeTaskMessage(aggregatorId, task, result);
      await callUnary(client, client.completeTask, request, { deadlineMs: COMPLETE_DEADLINE_MS, clock, signal });
    },
    fail: async (task, { reason, verdict }) => {
      const request = { aggregatorId, task, reason, verdict: verdictMessage(verdict) };
      await callUnary(client, client.failTask, request, { deadlineMs: FAIL_DEADLINE_MS, clock });
    },
    close: () => client.close(),
  };
}
