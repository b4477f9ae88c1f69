import { AgentServiceClient } from '@flexlora/contracts/agent/v1/agent_service';
import { TransferServiceClient } from '@flexlora/contracts/transfer/v1/transfer_service';
import { Fault, type Refusal } from '@flexlora/core';
import {
  type ChannelOptions,
  connectClient,
  failureOf,
  isServiceError,
  type RetryDeps,
  type RetryPolicy,
  retry,
} from '@flexlora/runtime';
import type { Tell } from './agent-event.ts';

/** The platform as an agent sees it: two services, and calls that outlast outages. */
export interface PlatformDoor {
  readonly agents: AgentServiceClient;
  readonly transfers: TransferServiceClient;
  /**
   * Tries until there is an answer, and a refusal is one; or `attemptsMax` times, and throws the last error. Outages are retried with growing waits, or those that the server asks for;
   * what is neither (a bug, a disk that is full) is thrown, as is the signal's reason.
   */
  patiently<T>(
    what: string,
    operation: () => Promise<T>,
    signal: AbortSignal,
    attemptsMax?: number,
  ): Promise<T | Refusal>;
  close(): void;
}

export interface PlatformDoorOptions {
  readonly control: ChannelOptions;
  readonly transfer: ChannelOptions;
  readonly retry: RetryPolicy;
}

export function createPlatformDoor(
  options: PlatformDoorOptions,
  deps: RetryDeps & { readonly tell: Tell },
): PlatformDoor {
  const agents = connectClient(AgentServiceClient, options.control);
  const transfers = connectClient(TransferServiceClient, options.transfer);
  return {
    agents,
    transfers,
    patiently: (what, operation, signal, attemptsMax = options.retry.attemptsMax) =>
      retry(() => refusalAsValue(operation), { ...options.retry, attemptsMax }, deps, {
        signal,
        isWorthRetrying: isOutage,
        askedWaitMs,
        onRetry: (error, _attempt, waitMs) =>
          deps.tell({ kind: 'retrying', what, message: messageOf(error), waitMs: Math.round(waitMs) }),
      }),
    close: () => {
      agents.close();
      transfers.close();
    },
  };
}

/** Another try may succeed. */
export const isOutage = (error: unknown): boolean => isServiceError(error) || error instanceof Fault;

async function refusalAsValue<T>(operation: () => Promise<T>): Promise<T | Refusal> {
  try {
    return await operation();
  } catch (error) {
    if (!isServiceError(error)) throw error;
    const failure = failureOf(error);
    if (failure.kind === 'refusal') return failure;
    throw error;
  }
}

function askedWaitMs(error: unknown): number | null {
  const failure = failureOf(error);
  return failure.kind === 'unavailable' ? failure.retryMs : null;
}

const messageOf = (error: unknown): string =>
  isServiceError(error) ? failureOf(error).message : error instanceof Error ? error.message : String(error);
