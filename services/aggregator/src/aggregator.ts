import { randomBytes } from 'node:crypto';
import { isRefusal, parseAggregatorId } from '@flexlora/core';
import type { Kernel } from '@flexlora/kernel';
import type { ChannelOptions, Clock, Logger, Transport } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { Registry } from 'prom-client';
import { createHeaderCache } from './header-cache.ts';
import { HEADER_CACHE_BYTES_MAX, READY_MS_MAX, STOP_GRACE_MS } from './limits.ts';
import { createAggregatorMetrics } from './metrics.ts';
import { runTask } from './run-task.ts';
import { connectTaskDoor } from './task-door.ts';
import { runTaskLoop } from './task-loop.ts';

/** Claims tasks of aggregation, does them, and hands in their results. Any number of them share the work. */
export interface Aggregator {
  readonly aggregatorId: string;
  /** Null when the object store answers, else one sentence that says why not. */
  whyNotReady(): Promise<string | null>;
  /** Claims no more; tasks under way finish within the grace or are handed back. Resolves when nothing runs. */
  stop(): Promise<void>;
}

export interface AggregatorDeps {
  readonly objectStore: ObjectStore;
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Uniform in [0, 1): spreads the waits of retries, and nothing else. */
  readonly random: () => number;
  /** 8 hexadecimal digits, never the same again: names a claim; drawn from the system's randomness when absent. */
  readonly newClaimId?: () => string;
  /** gRPC over sockets when absent. */
  readonly transport?: Transport;
  /** Where the metrics go; a registry of its own when absent. */
  readonly registry?: Registry;
}

export interface AggregatorOptions {
  /** Unique to the process: 1 to 63 of a-z, 0-9, ".", "_", "-". */
  readonly aggregatorId: string;
  readonly orchestrator: ChannelOptions;
  /** Tasks at a time, at least 1. One pulls while another sums; each takes the memory that `runTask` states. */
  readonly parallelTasks: number;
  /** What a task under way gets to finish in when the aggregator stops; 0 hands it back at once. */
  readonly stopGraceMs?: number;
}

/** @throws {RangeError} for an id or a number of tasks that is not allowed. */
export async function createAggregator(deps: AggregatorDeps, options: AggregatorOptions): Promise<Aggregator> {
  const aggregatorId = parseAggregatorId(options.aggregatorId);
  if (isRefusal(aggregatorId)) throw new RangeError(aggregatorId.message);
  if (!Number.isInteger(options.parallelTasks) || options.parallelTasks < 1)
    throw new RangeError(`parallelTasks is ${options.parallelTasks}; allowed: an integer from 1`);

  const logger = deps.logger.child({ aggregator: aggregatorId });
  const metrics = createAggregatorMetrics(deps.registry ?? new Registry());
  const door = connectTaskDoor(deps, options.orchestrator, aggregatorId);
  const headers = createHeaderCache(HEADER_CACHE_BYTES_MAX);
  const noClaims = new AbortController();
  const cut = new AbortController();
  const loopDeps = {
    door,
    clock: deps.clock,
    random: deps.random,
    newClaimId: deps.newClaimId ?? (() => randomBytes(CLAIM_ID_BYTES).toString('hex')),
    logger,
    metrics,
    whyNotReady: () => whyNotReady(deps.objectStore, deps.clock),
    runTask: (work: Parameters<typeof runTask>[1], signal: AbortSignal) =>
      runTask({ ...deps, metrics, headers }, work, signal),
  };
  const signals = { noClaims: noClaims.signal, cut: cut.signal };
  const loops = Promise.all(Array.from({ length: options.parallelTasks }, () => runTaskLoop(loopDeps, signals)));

  let stopped: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    noClaims.abort(new Error('the aggregator stops'));
    const done = new AbortController();
    const grace = deps.clock.sleep(options.stopGraceMs ?? STOP_GRACE_MS, done.signal).then(
      () => cut.abort(new Error('the aggregator stops')),
      () => {},
    );
    await loops;
    done.abort();
    await grace;
    door.close();
  };
  return {
    aggregatorId,
    whyNotReady: loopDeps.whyNotReady,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

const CLAIM_ID_BYTES = 4;

async function whyNotReady(objectStore: ObjectStore, clock: Clock): Promise<string | null> {
  const answered = new AbortController();
  const silent = clock.sleep(READY_MS_MAX, answered.signal).then(
    () => `the object store did not answer within ${READY_MS_MAX} ms`,
    () => null,
  );
  try {
    return await Promise.race([objectStore.checkReady().then(() => null), silent]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    answered.abort();
  }
}
