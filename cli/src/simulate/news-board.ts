import type { DriverNews } from './drivers.ts';
import { createFleetRecorder, type FleetTally, tallyOf } from './fleet-tally.ts';
import { type RpcLatency, rpcLatencies } from './rpc-latency.ts';

/** What all drivers told, together. */
export interface NewsBoard {
  hear(driver: number, news: DriverNews): void;
  tally(): FleetTally;
  rpcs(): readonly RpcLatency[];
  /** Of the thread that was late most. */
  eventLoopDelayP99Ms(): number;
  /** Resolves when so many agents have enrolled. */
  untilEnrolled(count: number): Promise<void>;
}

export function createNewsBoard(drivers: number): NewsBoard {
  const nothing: DriverNews = {
    fleet: createFleetRecorder().news(),
    rpcs: [],
    eventLoopDelayP99Ms: 0,
    hasEnded: false,
  };
  const latest = Array.from({ length: drivers }, () => nothing);
  const awaited: { readonly count: number; readonly resolve: () => void }[] = [];
  const enrolled = (): number => latest.reduce((sum, { fleet }) => sum + fleet.enrolled, 0);
  return {
    hear: (driver, news) => {
      // Acknowledgements are told once; everything else is told as it is now.
      const told = latest[driver]?.fleet.acknowledgements ?? [];
      const acknowledgements = [...told, ...news.fleet.acknowledgements];
      latest[driver] = { ...news, fleet: { ...news.fleet, acknowledgements } };
      for (const { count, resolve } of awaited) if (count <= enrolled()) resolve();
    },
    tally: () => tallyOf(latest.map(({ fleet }) => fleet)),
    rpcs: () => rpcLatencies(latest.map(({ rpcs }) => rpcs)),
    eventLoopDelayP99Ms: () => Math.max(...latest.map((news) => news.eventLoopDelayP99Ms)),
    untilEnrolled: (count) =>
      new Promise((resolve) => {
        if (count <= enrolled()) resolve();
        else awaited.push({ count, resolve });
      }),
  };
}
