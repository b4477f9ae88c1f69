import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '@flexlora/runtime';
import type { DriverNews, DriverOrder, DriverWord } from './drivers.ts';
import { createFleetRecorder } from './fleet-tally.ts';
import { heldCalls } from './held-calls.ts';
import { NEWS_EVERY_MS } from './limits.ts';
import { createRpcLatencies } from './rpc-latency.ts';
import { simulatedRunSpec } from './simulated-run.ts';
import { createVirtualDoors } from './virtual-doors.ts';
import { runVirtualFleet } from './virtual-fleet.ts';

/** Drives its part of the fleet, and tells what happens to it. */
async function drive(order: DriverOrder, port: MessagePort): Promise<void> {
  const recorder = createFleetRecorder();
  const collectingMs = simulatedRunSpec(order.runId, order.options).timing?.collectingMs ?? 0;
  const latencies = createRpcLatencies({ nowMs: () => performance.now() }, heldCalls(collectingMs));
  const doors = createVirtualDoors({ ...order.platform, interceptors: [latencies.interceptor] });
  const lateness = monitorEventLoopDelay();
  const begun = Promise.withResolvers<void>();
  const stopped = new AbortController();
  port.on('message', (word: DriverWord) => {
    if (word === 'begin') begun.resolve();
    else stopped.abort(new Error('the simulation has ended'));
  });
  const tell = (hasEnded: boolean): void => {
    const news: DriverNews = {
      fleet: recorder.news(),
      rpcs: latencies.counts(),
      eventLoopDelayP99Ms: lateness.percentile(99) / 1e6,
      hasEnded,
    };
    port.postMessage(news);
  };
  const telling = setInterval(() => tell(false), NEWS_EVERY_MS);
  lateness.enable();
  try {
    const deps = { clock: systemClock, random: Math.random, recorder, doors };
    await runVirtualFleet(deps, order, { begun: begun.promise, signal: stopped.signal });
    lateness.disable();
    tell(true);
  } finally {
    clearInterval(telling);
    doors.close();
    port.close();
  }
}

if (parentPort === null) throw new Error('driver-thread.ts is run as a thread, by drivers.ts');
await drive(workerData as DriverOrder, parentPort);
