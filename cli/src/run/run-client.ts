import { type Agent, type Run, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { Fault } from '@flexlora/core';
import {
  type ChannelOptions,
  type Clock,
  callUnary,
  cancelOn,
  connectClient,
  failureOf,
  isServiceError,
  retry,
} from '@flexlora/runtime';
import { AGENTS_PAGE, CALL_MS_MAX, CANCEL_MS_MAX, type Patience } from './limits.ts';

/** A cohort may have ten thousand members: whoever does not show them leaves them out. */
export type CohortExtent = 'withCohort' | 'withoutCohort';

/**
 * An operator's view of the platform. What only reads, or is the same the second time, is asked again after an outage; the rest is asked
 * once. Whatever was not answered, or refused, is thrown as a Fault whose message says what was asked and why not.
 */
export interface RunClient {
  /** The same specification again is the same run. */
  createRun(spec: RunSpec, signal: AbortSignal): Promise<Run>;
  /** A run that begins with the adapter of a published round of another one. */
  forkRun(fork: { readonly spec: RunSpec; readonly from: RunRound }, signal: AbortSignal): Promise<Run>;
  getRun(runId: string, extent: CohortExtent, signal: AbortSignal): Promise<Run>;
  listRuns(signal: AbortSignal): Promise<readonly Run[]>;
  pauseRun(runId: string, reason: string, signal: AbortSignal): Promise<Run>;
  resumeRun(runId: string, signal: AbortSignal): Promise<Run>;
  /** Without a signal it is asked for a short time: whoever cancels is about to end. */
  cancelRun(runId: string, reason: string, signal?: AbortSignal): Promise<Run>;
  retryRound(runId: string, reason: string, signal: AbortSignal): Promise<Run>;
  rollBackRun(to: RunRound, reason: string, signal: AbortSignal): Promise<Run>;
  /** Every state of a run that the server tells, until it is settled. Goes on after an outage. */
  watchRun(runId: string, signal: AbortSignal, extent?: CohortExtent): AsyncGenerator<Run, void>;
  /** Every enrolled agent, by id, a page at a time. */
  listAgents(runId: string, signal: AbortSignal): AsyncGenerator<readonly Agent[], void>;
  close(): void;
}

export interface RunRound {
  readonly runId: string;
  readonly round: number;
}

export interface RunClientDeps {
  readonly clock: Clock;
  readonly random: () => number;
}

interface Call<Response> {
  /** What was asked, in words: "run a cannot be paused". */
  readonly failed: string;
  readonly repeat: 'again' | 'once';
  readonly signal?: AbortSignal;
  readonly ask: (options: { readonly deadlineMs: number; readonly signal?: AbortSignal }) => Promise<Response>;
}

export function createRunClient(options: ChannelOptions, deps: RunClientDeps, patience: Patience): RunClient {
  const client = connectClient(RunServiceClient, options);

  async function call<Response>({ failed, repeat, signal, ask }: Call<Response>): Promise<Response> {
    const deadlineMs = signal === undefined ? CANCEL_MS_MAX : CALL_MS_MAX;
    const attemptsMax = repeat === 'again' ? patience.attemptsMax : 1;
    const withSignal = signal === undefined ? {} : { signal };
    try {
      return await retry(() => ask({ deadlineMs, ...withSignal }), { ...patience, attemptsMax }, deps, {
        ...withSignal,
        isWorthRetrying: (error) => failureOf(error).kind === 'unavailable',
      });
    } catch (error) {
      signal?.throwIfAborted();
      if (!isServiceError(error)) throw error;
      throw new Fault(`${failed}: ${sentenceOf(error, options.target, repeat)}`, { cause: error });
    }
  }
  const runOf = async (asked: Call<{ readonly run?: Run | undefined }>): Promise<Run> =>
    theRun((await call(asked)).run);

  return {
    createRun: (spec, signal) =>
      runOf({
        failed: `run ${spec.runId} cannot be created`,
        repeat: 'again',
        signal,
        ask: (how) => callUnary(client, client.createRun, { spec }, how),
      }),
    forkRun: ({ spec, from }, signal) =>
      runOf({
        failed: `round ${from.round} of run ${from.runId} cannot be forked`,
        repeat: 'again',
        signal,
        ask: (how) => callUnary(client, client.forkRun, { spec, fromRunId: from.runId, fromRound: from.round }, how),
      }),
    getRun: (runId, extent, signal) =>
      runOf({
        failed: `run ${runId} cannot be shown`,
        repeat: 'again',
        signal,
        ask: (how) => callUnary(client, client.getRun, { runId, withoutCohort: extent === 'withoutCohort' }, how),
      }),
    listRuns: async (signal) => {
      const { runs } = await call({
        failed: 'runs cannot be listed',
        repeat: 'again',
        signal,
        ask: (how) => callUnary(client, client.listRuns, {}, how),
      });
      return runs;
    },
    pauseRun: (runId, reason, signal) =>
      runOf({
        failed: `run ${runId} cannot be paused`,
        repeat: 'again',
        signal,
        ask: (how) => callUnary(client, client.pauseRun, { runId, reason }, how),
      }),
    resumeRun: (runId, signal) =>
      runOf({
        failed: `run ${runId} cannot be resumed`,
        repeat: 'again',
        signal,
        ask: (how) => callUnary(client, client.resumeRun, { runId }, how),
      }),
    cancelRun: (runId, reason, signal) =>
      runOf({
        failed: `run ${runId} cannot be cancelled`,
        repeat: signal === undefined ? 'once' : 'again',
        ...(signal !== undefined && { signal }),
        ask: (how) => callUnary(client, client.cancelRun, { runId, reason }, how),
      }),
    // Asked twice, a round would be handed out twice.
    retryRound: (runId, reason, signal) =>
      runOf({
        failed: `the round of run ${runId} cannot be tried again`,
        repeat: 'once',
        signal,
        ask: (how) => callUnary(client, client.retryRound, { runId, reason }, how),
      }),
    // Asked twice, two rounds would be spent.
    rollBackRun: ({ runId, round }, reason, signal) =>
      runOf({
        failed: `run ${runId} cannot be rolled back to round ${round}`,
        repeat: 'once',
        signal,
        ask: (how) => callUnary(client, client.rollBackRun, { runId, toRound: round, reason }, how),
      }),
    watchRun: async function* (runId, signal, extent = 'withCohort') {
      for (let attempt = 1; ; ) {
        signal.throwIfAborted();
        try {
          const request = { runId, withoutCohort: extent === 'withoutCohort' };
          for await (const { run } of cancelOn(client.watchRun(request), signal)) {
            attempt = 1;
            yield theRun(run);
          }
          return;
        } catch (error) {
          signal.throwIfAborted();
          if (!isServiceError(error)) throw error;
          if (failureOf(error).kind !== 'unavailable' || attempt >= patience.attemptsMax)
            throw new Fault(`run ${runId} cannot be watched: ${sentenceOf(error, options.target, 'again')}`, {
              cause: error,
            });
          attempt += 1;
          await deps.clock.sleep(patience.mostMs / 2, signal);
        }
      }
    },
    listAgents: async function* (runId, signal) {
      let pageToken = '';
      do {
        const request = { runId, pageSize: AGENTS_PAGE, pageToken };
        const page = await call({
          failed: `the agents of run ${runId} cannot be listed`,
          repeat: 'again',
          signal,
          ask: (how) => callUnary(client, client.listAgents, request, how),
        });
        yield page.agents;
        pageToken = page.nextPageToken;
      } while (pageToken !== '');
    },
    close: () => client.close(),
  };
}

/** Why it was not done, and what to do; a refusal of the server says both itself. */
function sentenceOf(error: unknown, target: string, repeat: 'again' | 'once'): string {
  const failure = failureOf(error);
  switch (failure.kind) {
    case 'refusal':
      return failure.message;
    case 'unavailable': {
      const help = `start an orchestrator there, or name another with --server`;
      const doubt = repeat === 'again' ? '' : '; look with "flexlora run get" whether it was done before you ask again';
      return `${target} did not answer (${failure.message}): ${help}${doubt}`;
    }
    case 'broken':
      return `${target} answered ${failure.message}: it may speak another version of the contract than this command`;
  }
}

function theRun(run: Run | undefined): Run {
  if (run === undefined)
    throw new Fault('the server answered without a run: it speaks another version of the contract than this command');
  return run;
}
