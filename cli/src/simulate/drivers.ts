import { Worker } from 'node:worker_threads';
import type { FleetNews } from './fleet-tally.ts';
import { DRIVER_YOUNG_MIB } from './limits.ts';
import type { RpcCounts } from './rpc-latency.ts';
import { createFleetNoise, type FleetPart } from './virtual-fleet.ts';

/** What a driver is told to do: all of it crosses to a thread. */
export type DriverOrder = FleetPart;

/** What a driver is told later. */
export type DriverWord = 'begin' | 'stop';

/** What a driver tells of its part of the fleet. */
export interface DriverNews {
  readonly fleet: FleetNews;
  /** Of all its calls so far. */
  readonly rpcs: readonly RpcCounts[];
  /** How late its thread was itself. */
  readonly eventLoopDelayP99Ms: number;
  /** There is no more to tell. */
  readonly hasEnded: boolean;
}

/** Threads that share the agents of a fleet, each with its own heap and its own connections. */
export interface Drivers {
  /** Devices may go away from now on. */
  begin(): void;
  /** Ends those that have not ended: their last news comes before `ended`. */
  stop(): void;
  /** When no thread is left; rejects, once they are gone, with the failure of the first that failed. */
  readonly ended: Promise<void>;
}

/** @param program what a thread runs; a test gives another. */
export function startDrivers(
  order: Omit<FleetPart, 'part' | 'parts' | 'noise'> & { readonly drivers: number },
  hear: (driver: number, news: DriverNews) => void,
  program: URL = new URL('./driver-thread.ts', import.meta.url),
): Drivers {
  const { drivers, ...rest } = order;
  const noise = createFleetNoise(order.options);
  const workers = Array.from({ length: drivers }, (_, part) => {
    const workerData: DriverOrder = { ...rest, part, parts: drivers, noise };
    return new Worker(program, { workerData, resourceLimits: { maxYoungGenerationSizeMb: DRIVER_YOUNG_MIB } });
  });
  const tell = (word: DriverWord): void => {
    for (const worker of workers) worker.postMessage(word);
  };
  const stop = (): void => tell('stop');
  const endings = workers.map(async (worker, driver) => {
    try {
      await untilEnded(worker, (news) => hear(driver, news));
    } catch (error) {
      stop();
      throw error;
    } finally {
      await worker.terminate();
    }
  });
  return { begin: () => tell('begin'), stop, ended: allEnded(endings) };
}

function untilEnded(worker: Worker, hear: (news: DriverNews) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.on('message', (news: DriverNews) => {
      hear(news);
      if (news.hasEnded) resolve();
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`a driver of the fleet ended by itself, with code ${code}`)));
  });
}

async function allEnded(endings: readonly Promise<void>[]): Promise<void> {
  for (const ending of await Promise.allSettled(endings)) if (ending.status === 'rejected') throw ending.reason;
}
