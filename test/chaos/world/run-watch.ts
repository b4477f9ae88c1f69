import { setTimeout as sleep } from 'node:timers/promises';
import { Phase, type Run, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import { callUnary, connectClient } from '@flexlora/runtime';
import type { LogLine } from '../../harness/processes/service-process.ts';

/** What an agent does in a round, as it says itself. */
export interface AgentStage {
  readonly round: number;
  readonly stage: 'assigned' | 'downloading' | 'training' | 'trained' | 'uploading' | 'sent' | 'accepted';
}

/** An agent heard that its update is in the round. */
export interface Acknowledgement {
  readonly agentId: string;
  readonly round: number;
  readonly atMs: number;
}

export interface LeaseTaken {
  readonly by: string;
  readonly atMs: number;
}

/** What is known of a run while it goes on: from the logs of its processes, and by asking. */
export interface RunWatch {
  hear(process: string, line: LogLine): void;
  /** A process that is gone holds nothing. */
  forget(process: string): void;
  /** As it was last told; null before. */
  run(): Run | null;
  round(): number;
  /** When the open round was first seen. */
  roundBeganAtMs(): number;
  isSettled(): boolean;
  /** Whether an agent heard that the run has ended: then it may end as well. */
  heardTheEnd(agentId: string): boolean;
  stageOf(agentId: string): AgentStage | null;
  /** Tasks of a round that somebody completed. */
  tasksCompleted(round: number): number;
  /** Who took the lease last and has not lost it since. */
  leaseHolder(): string | null;
  readonly acknowledgements: readonly Acknowledgement[];
  readonly leases: readonly LeaseTaken[];
  /** Whether each orchestrator answers for the run now, by name. */
  answering(): Promise<readonly string[]>;
  /** Resolves to true when it is so, to false after the time. */
  until(isSo: () => boolean, withinMs: number): Promise<boolean>;
  close(): void;
}

const POLL_MS = 200;
const LOOK_MS = 25;
const CALL_MS_MAX = 1_500;

export function createRunWatch(
  options: {
    readonly runId: string;
    readonly orchestrators: readonly { readonly name: string; readonly port: number }[];
  },
  signal: AbortSignal,
): RunWatch {
  const clients = options.orchestrators.map(({ name, port }) => ({
    name,
    client: connectClient(RunServiceClient, { target: `127.0.0.1:${port}`, tls: null }),
  }));
  const acknowledgements: Acknowledgement[] = [];
  const leases: LeaseTaken[] = [];
  const stages = new Map<string, AgentStage>();
  const completed = new Map<number, Set<string>>();
  const endsHeard = new Set<string>();
  let holder: string | null = null;
  let run: Run | null = null;
  let roundBeganAtMs = Date.now();
  let isClosed = false;

  const ask = async (client: RunServiceClient): Promise<Run> => {
    const request = { runId: options.runId, withoutCohort: false };
    const answer = await callUnary(client, client.getRun, request, { deadlineMs: CALL_MS_MAX });
    if (answer.run === undefined) throw new Error('the server answered without a run');
    return answer.run;
  };
  const take = (next: Run): void => {
    // A replica that lags behind tells of the past.
    if (run !== null && next.published.length < run.published.length) return;
    if (next.round !== run?.round) roundBeganAtMs = Date.now();
    run = next;
  };
  const follow = async (): Promise<void> => {
    while (!isClosed) {
      await Promise.any(clients.map(({ client }) => ask(client).then(take))).catch(() => {});
      await sleep(POLL_MS);
    }
  };
  void follow();

  function hearAgent(agentId: string, line: LogLine): void {
    const round = Number(line['round']);
    switch (line.msg) {
      case 'assigned':
      case 'downloading':
      case 'training':
      case 'trained':
        stages.set(agentId, { round, stage: line.msg });
        return;
      case 'uploading':
        stages.set(agentId, { round, stage: line['bytes'] === line['total'] ? 'sent' : 'uploading' });
        return;
      case 'ended':
        endsHeard.add(agentId);
        return;
      case 'accepted':
        stages.set(agentId, { round, stage: 'accepted' });
        acknowledgements.push({ agentId, round, atMs: line.atMs });
    }
  }

  return {
    hear(process, line) {
      if (process.startsWith('agent-')) hearAgent(process, line);
      else if (line.msg === 'took the lease') {
        holder = process;
        leases.push({ by: process, atMs: line.atMs });
      } else if (line.msg === 'session ended' || line.msg.startsWith('a session failed')) {
        if (holder === process) holder = null;
      } else if (line.msg === 'a task ended' && line['ending'] === 'completed') {
        const round = Number(line['round']);
        completed.set(round, (completed.get(round) ?? new Set()).add(String(line['task'])));
      }
    },
    forget(process) {
      if (holder === process) holder = null;
    },
    run: () => run,
    round: () => run?.round ?? 0,
    roundBeganAtMs: () => roundBeganAtMs,
    isSettled: () => run?.phase === Phase.SETTLED,
    heardTheEnd: (agentId) => endsHeard.has(agentId),
    stageOf: (agentId) => stages.get(agentId) ?? null,
    tasksCompleted: (round) => completed.get(round)?.size ?? 0,
    leaseHolder: () => holder,
    acknowledgements,
    leases,
    answering: async () => {
      const answers = await Promise.all(
        clients.map(({ name, client }) =>
          ask(client).then(
            () => [name],
            () => [],
          ),
        ),
      );
      return answers.flat();
    },
    async until(isSo, withinMs) {
      for (const until = Date.now() + withinMs; Date.now() < until; await sleep(LOOK_MS)) {
        signal.throwIfAborted();
        if (isSo()) return true;
      }
      return isSo();
    },
    close() {
      isClosed = true;
      for (const { client } of clients) client.close();
    },
  };
}
