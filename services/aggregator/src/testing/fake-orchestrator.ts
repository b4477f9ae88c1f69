import {
  AggregationServiceService,
  type ClaimTaskRequest,
  type CompleteTaskRequest,
  type FailTaskRequest,
  type RenewTaskRequest,
  type Task,
} from '@flexlora/contracts/aggregation/v1/aggregation_service';
import { adapterObjectName, isRefusal, type Refusal, type RunId, type Sha256Hex, type TaskId } from '@flexlora/core';
import { createGrpcServer, createHandlerAdapter, createServiceMetrics, silentLogger } from '@flexlora/runtime';

/** A real server with the AggregationService that hands out the tasks it is given and writes down what it is told. */
export interface FakeOrchestrator {
  readonly target: string;
  readonly claimed: readonly ClaimTaskRequest[];
  readonly completed: readonly CompleteTaskRequest[];
  readonly failed: readonly FailTaskRequest[];
  readonly renewed: readonly RenewTaskRequest[];
  offer(task: Task): void;
  /** Resolves when `count` tasks were completed or failed. */
  settled(count: number): Promise<void>;
  stop(): Promise<void>;
}

export interface FakeAnswers {
  readonly claim?: () => Promise<Refusal | undefined>;
  readonly renew?: (request: RenewTaskRequest) => Promise<Refusal | undefined>;
  readonly complete?: (request: CompleteTaskRequest) => Promise<Refusal | undefined>;
  readonly fail?: (request: FailTaskRequest) => Promise<Refusal | undefined>;
}

const COME_BACK_MS = 10;

/** The claim stands in the name of what it writes. */
function claimedAs(task: Task, claimId: string): Task {
  const { runId, round, taskId, attempt, ledger } = task;
  const which = { attempt, claimId };
  const digest = ledger?.sha256 as Sha256Hex;
  return { ...task, objectName: adapterObjectName(runId as RunId, round, taskId as TaskId, which, digest) };
}

export async function createFakeOrchestrator(answers: FakeAnswers = {}): Promise<FakeOrchestrator> {
  const waiting: Task[] = [];
  const leaseOf = new Map<string, number>();
  const claimed: ClaimTaskRequest[] = [];
  const completed: CompleteTaskRequest[] = [];
  const failed: FailTaskRequest[] = [];
  const renewed: RenewTaskRequest[] = [];
  const watchers = new Set<() => void>();
  const tell = (): void => {
    for (const watcher of watchers) watcher();
  };
  const adapter = createHandlerAdapter({ metrics: createServiceMetrics().grpc, logger: silentLogger });
  const implementation = {
    claimTask: adapter.unary(async (request: ClaimTaskRequest) => {
      claimed.push(request);
      const refusal = await answers.claim?.();
      if (isRefusal(refusal)) return refusal;
      const task = waiting.shift();
      if (task === undefined) return { answer: { $case: 'comeBackAfterMs' as const, value: COME_BACK_MS } };
      leaseOf.set(task.taskId, task.leaseMs);
      return { answer: { $case: 'task' as const, value: claimedAs(task, request.claimId) } };
    }),
    renewTask: adapter.unary(async (request: RenewTaskRequest) => {
      renewed.push(request);
      return (await answers.renew?.(request)) ?? { leaseMs: leaseOf.get(request.task?.taskId ?? '') ?? 0 };
    }),
    completeTask: adapter.unary(async (request: CompleteTaskRequest) => {
      const refusal = await answers.complete?.(request);
      if (isRefusal(refusal)) return refusal;
      completed.push(request);
      tell();
      return {};
    }),
    failTask: adapter.unary(async (request: FailTaskRequest) => {
      const refusal = await answers.fail?.(request);
      if (isRefusal(refusal)) return refusal;
      failed.push(request);
      tell();
      return {};
    }),
  };
  const services = [{ definition: AggregationServiceService, implementation }];
  const server = await createGrpcServer(
    { host: '127.0.0.1', port: 0, services, tls: null, reflection: null },
    { logger: silentLogger },
  );
  return {
    target: `127.0.0.1:${server.port}`,
    claimed,
    completed,
    failed,
    renewed,
    offer: (task) => void waiting.push(task),
    settled: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (completed.length + failed.length < count) return;
          watchers.delete(look);
          resolve();
        };
        watchers.add(look);
        look();
      }),
    stop: () => server.stop(0),
  };
}
