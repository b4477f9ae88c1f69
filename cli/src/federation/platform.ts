import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createAggregator } from '@flexlora/aggregator';
import type { Kernel } from '@flexlora/kernel';
import { createOrchestrator, ORCHESTRATOR_DEFAULTS } from '@flexlora/orchestrator';
import type { Clock, Logger } from '@flexlora/runtime';
import {
  createFileObjectStore,
  createMemoryRoundStore,
  createRedisRoundStore,
  createS3ObjectStore,
  ensureS3Bucket,
  type ObjectStore,
  type RoundStore,
  type S3ObjectStoreOptions,
} from '@flexlora/stores';

/** The services of one federation, in this process, talking over loopback sockets as they do on a cluster. */
export interface Platform {
  /** `host:port` of every gRPC service. */
  readonly target: string;
  stop(): Promise<void>;
}

export interface PlatformDeps {
  readonly kernel: Kernel;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: () => number;
}

export interface PlatformOptions {
  /** Null keeps round state in memory. */
  readonly redisUrl: string | null;
  /** Null keeps bytes as files in `directory`. */
  readonly s3: S3ObjectStoreOptions | null;
  readonly directory: string;
  readonly aggregators: number;
}

/** @throws {Fault} when a store does not answer: the message says which and what to do. */
export async function createPlatform(deps: PlatformDeps, options: PlatformOptions): Promise<Platform> {
  const { clock, logger } = deps;
  const undo: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const step of undo.splice(0).reverse()) await step().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, 'a service did not stop cleanly');
  };
  try {
    const roundStore = openRoundStore(options, clock);
    undo.push(() => roundStore.close());
    const objectStore = await openObjectStore(options);
    undo.push(() => objectStore.close());
    const orchestrator = await createOrchestrator(
      { ...deps, roundStore, objectStore, logger: logger.child({ service: 'orchestrator' }) },
      ORCHESTRATOR_DEFAULTS,
    );
    undo.push(() => orchestrator.stop());
    const target = `127.0.0.1:${orchestrator.port}`;
    for (let number = 1; number <= options.aggregators; number += 1) {
      const aggregator = await createAggregator(
        { ...deps, objectStore, logger: logger.child({ service: 'aggregator' }) },
        { aggregatorId: `aggregator-${number}`, orchestrator: { target, tls: null }, parallelTasks: 1, stopGraceMs: 0 },
      );
      undo.push(() => aggregator.stop());
    }
    return { target, stop };
  } catch (error) {
    // Why it did not start is what counts.
    await stop().catch(() => {});
    throw error;
  }
}

function openRoundStore({ redisUrl }: PlatformOptions, clock: Clock): RoundStore {
  return redisUrl === null ? createMemoryRoundStore({ now: clock.nowMs }) : createRedisRoundStore({ url: redisUrl });
}

async function openObjectStore({ s3, directory }: PlatformOptions): Promise<ObjectStore> {
  if (s3 !== null) {
    await ensureS3Bucket(s3);
    return createS3ObjectStore(s3);
  }
  const files = join(directory, 'objects');
  await mkdir(files, { recursive: true });
  return createFileObjectStore({ directory: files });
}
