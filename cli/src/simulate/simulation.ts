import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Outcome, type Run } from '@flexlora/contracts/run/v1/run_service';
import { Fault } from '@flexlora/core';
import { type ChannelOptions, type Clock, type Logger, silentLogger } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { PROGRAM_PATIENCE } from '../run/limits.ts';
import { createRunClient, type RunClient } from '../run/run-client.ts';
import { type Audit, auditUpdates, readManifests } from './audit.ts';
import { runFleet } from './fleet.ts';
import { createFleetRecorder, type FleetRecorder } from './fleet-tally.ts';
import { heldCalls } from './held-calls.ts';
import { AUDIT_MS_MAX, RANK_TIERS } from './limits.ts';
import { createNoise } from './noise.ts';
import type { SimulateOptions } from './options.ts';
import { orAborted } from './or-aborted.ts';
import { reportOf, type ServiceMemory, type SimulationReport } from './report.ts';
import { createRpcLatencies } from './rpc-latency.ts';
import { BASE_DIGEST, simulatedRunSpec } from './simulated-run.ts';
import { createTraces } from './traces.ts';
import type { SimulationView } from './view.ts';
import { createVirtualAgent } from './virtual-agent.ts';
import { createVirtualDisk } from './virtual-disk.ts';
import { createVirtualDoors, type VirtualDoors } from './virtual-doors.ts';

export interface SimulationDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly view: SimulationView;
  readonly logger?: Logger;
}

export interface SimulationRequest {
  readonly options: SimulateOptions;
  readonly runId: string;
  readonly platform: ChannelOptions;
  /** Where the manifests are; null when nobody said. */
  readonly objectStore: ObjectStore | null;
  readonly servicesMemory: () => Promise<readonly ServiceMemory[]>;
  readonly signal: AbortSignal;
  /** Services without which the run cannot end: their failure is the simulation's. */
  readonly alongside: Promise<never>;
}

/** Milliseconds since some moment, with fractions, whatever the time of the day is set to. */
const monotonicMs = (): number => performance.now();

/**
 * Creates a run, brings the whole fleet to its door, lets the rounds begin, and reports when it has ended. A run that is not followed to
 * its end is cancelled.
 */
export async function simulate(deps: SimulationDeps, request: SimulationRequest): Promise<SimulationReport> {
  const { options, runId } = request;
  const broken = new AbortController();
  const signal = AbortSignal.any([request.signal, broken.signal]);
  const spec = simulatedRunSpec(runId, options);
  const runs = createRunClient(request.platform, deps, PROGRAM_PATIENCE);
  const recorder = createFleetRecorder();
  const latencies = createRpcLatencies({ nowMs: monotonicMs }, heldCalls(spec.timing?.collectingMs ?? 0));
  const doors = createVirtualDoors({ ...request.platform, interceptors: [latencies.interceptor] });
  const lateness = monitorEventLoopDelay();
  const startedAtMs = monotonicMs();
  let run: Run | null = null;
  const show = (): void =>
    deps.view.show({
      seconds: (monotonicMs() - startedAtMs) / 1_000,
      run,
      agents: options.agents,
      tally: recorder.tally,
      rpcs: latencies.rows(),
    });
  const showing = setInterval(show, deps.view.everyMs);
  request.alongside.catch((error: unknown) => broken.abort(error));
  try {
    await runs.createRun(spec, signal);
    await runs.pauseRun(runId, 'until every virtual agent has enrolled', signal);
    lateness.enable();
    const ended = new AbortController();
    const begun = Promise.withResolvers<void>();
    const fleet = startFleet(deps, request, {
      recorder,
      doors,
      begun: begun.promise,
      signal: AbortSignal.any([signal, ended.signal]),
    });
    fleet.catch((error: unknown) => broken.abort(error));
    await orAborted(recorder.untilEnrolled(options.agents), signal);
    const enrolSeconds = (monotonicMs() - startedAtMs) / 1_000;
    const begunAtMs = deps.clock.nowMs();
    await runs.resumeRun(runId, signal);
    begun.resolve();
    const settled = await followToItsEnd(runs, {
      runId,
      signal,
      onRun: (now) => {
        run = now;
      },
    });
    lateness.disable();
    // Who is away, or waits before it asks again, would hear of the end much later.
    ended.abort(new Error('the run has ended'));
    await fleet;
    show();
    return reportOf({
      options,
      run: settled,
      begunAtMs,
      enrolSeconds,
      rpcs: latencies.rows(),
      services: await request.servicesMemory(),
      tally: recorder.tally,
      audit: await audit(request, settled, recorder),
      eventLoopDelayP99Ms: lateness.percentile(99) / 1e6,
    });
  } catch (error) {
    // The stores may outlast this process, and whoever starts on them next would go on with it. A platform that is gone has no run.
    if (run === null || (run as Run).outcome === Outcome.UNSPECIFIED)
      await runs.cancelRun(runId, 'the simulation that created it has ended').catch(() => {});
    throw broken.signal.aborted && !request.signal.aborted ? broken.signal.reason : error;
  } finally {
    broken.abort(new Error('the simulation ended'));
    clearInterval(showing);
    doors.close();
    runs.close();
  }
}

function startFleet(
  deps: SimulationDeps,
  { options, runId, platform }: SimulationRequest,
  parts: {
    readonly recorder: FleetRecorder;
    readonly doors: VirtualDoors;
    readonly begun: Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { modules } = simulatedRunSpec(runId, options);
  const model = {
    baseDigest: BASE_DIGEST,
    modules: modules.map(({ name, outFeatures, inFeatures }) => ({ name, out: outFeatures, in: inFeatures })),
  };
  const traces = createTraces(options.seed);
  const side = Math.max(...model.modules.map(({ out }) => out));
  const noise = createNoise(options.seed, side * (RANK_TIERS.at(-1) ?? 1));
  return runFleet(deps, {
    agents: options.agents,
    signal: parts.signal,
    create: (index) =>
      createVirtualAgent(
        {
          clock: deps.clock,
          random: deps.random,
          logger: deps.logger ?? silentLogger,
          traces,
          noise,
          recorder: parts.recorder.agent(traces.device(index).agentId),
          disk: createVirtualDisk(deps, {
            runId,
            agentId: traces.device(index).agentId,
            uplinkBytesPerSecond: traces.device(index).uplinkBytesPerSecond * options.speed,
          }),
          door: parts.doors.of(index),
          begun: parts.begun,
        },
        { runId, index, model, speed: options.speed, channel: platform },
      ),
  });
}

/** @throws {Fault} when the platform told nothing of it. */
async function followToItsEnd(
  runs: RunClient,
  {
    runId,
    signal,
    onRun,
  }: { readonly runId: string; readonly signal: AbortSignal; readonly onRun: (run: Run) => void },
): Promise<Run> {
  let last: Run | null = null;
  for await (const run of runs.watchRun(runId, signal, 'withoutCohort')) {
    last = run;
    onRun(run);
  }
  if (last === null) throw new Fault(`run ${runId} was never told, though it was created`);
  return last;
}

async function audit(request: SimulationRequest, run: Run, recorder: FleetRecorder): Promise<Audit | null> {
  if (request.objectStore === null) return null;
  const rounds = run.published.map(({ round }) => round);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(AUDIT_MS_MAX)]);
  const manifests = await readManifests(request.objectStore, { runId: request.runId, rounds }, signal);
  return auditUpdates(recorder.tally.acknowledgements, manifests);
}
