import { type Run, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { Fault } from '@flexlora/core';
import {
  type ChannelOptions,
  type Clock,
  callUnary,
  cancelOn,
  connectClient,
  failureOf,
  retry,
} from '@flexlora/runtime';

/** An operator's view of the platform: creates a run and watches it to its end. */
export interface RunClient {
  /** @throws {Fault} when it was not created: the message says why. */
  createRun(spec: RunSpec, signal: AbortSignal): Promise<Run>;
  /** Asks once, for a short time. */
  cancelRun(runId: string, reason: string): Promise<void>;
  /** Every state of a run that the server tells, until it is settled. Goes on after an outage. @throws {Fault} after a long one. */
  watchRun(runId: string, signal: AbortSignal): AsyncGenerator<Run, void>;
  close(): void;
}

const CALL_MS_MAX = 10_000;
/** Whoever cancels is about to end, and a user waits for it. */
const CANCEL_MS_MAX = 3_000;
/** A server that starts is there within seconds; one that is away for a minute is worth an error. */
const RETRY = { firstMs: 200, mostMs: 2_000, attemptsMax: 40 };

export function createRunClient(
  options: ChannelOptions,
  deps: { readonly clock: Clock; readonly random: () => number },
): RunClient {
  const client = connectClient(RunServiceClient, options);
  const patiently = <T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> =>
    retry(call, RETRY, deps, { signal, isWorthRetrying: (error) => failureOf(error).kind === 'unavailable' });
  return {
    createRun: async (spec, signal) => {
      const answer = await patiently(
        () => callUnary(client, client.createRun, { spec }, { deadlineMs: CALL_MS_MAX, signal }),
        signal,
      ).catch((error: unknown) => {
        signal.throwIfAborted();
        throw new Fault(`the run could not be created at ${options.target}: ${failureOf(error).message}`, {
          cause: error,
        });
      });
      return theRun(answer.run);
    },
    cancelRun: async (runId, reason) => {
      await callUnary(client, client.cancelRun, { runId, reason }, { deadlineMs: CANCEL_MS_MAX });
    },
    watchRun: async function* (runId, signal) {
      for (let attempt = 1; ; ) {
        signal.throwIfAborted();
        try {
          for await (const { run } of cancelOn(client.watchRun({ runId, withoutCohort: false }), signal)) {
            attempt = 1;
            yield theRun(run);
          }
          return;
        } catch (error) {
          signal.throwIfAborted();
          const failure = failureOf(error);
          if (failure.kind !== 'unavailable' || attempt >= RETRY.attemptsMax)
            throw new Fault(`run ${runId} cannot be watched at ${options.target}: ${failure.message}`, {
              cause: error,
            });
          attempt += 1;
          await deps.clock.sleep(RETRY.mostMs / 2, signal);
        }
      }
    },
    close: () => client.close(),
  };
}

function theRun(run: Run | undefined): Run {
  if (run === undefined)
    throw new Error('the server answered without a run: it speaks another version of the contract');
  return run;
}
