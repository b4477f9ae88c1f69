import { Outcome, type Run } from '@flexlora/contracts/run/v1/run_service';
import { Fault } from '@flexlora/core';
import type { ChannelOptions, Clock } from '@flexlora/runtime';
import type { ObjectStore } from '@flexlora/stores';
import { PROGRAM_PATIENCE } from '../run/limits.ts';
import { createRunClient, type RunClient } from '../run/run-client.ts';
import { type Acknowledgement, type Audit, auditUpdates, readManifests } from './audit.ts';
import { type Drivers, startDrivers } from './drivers.ts';
import { AUDIT_MS_MAX } from './limits.ts';
import { createNewsBoard } from './news-board.ts';
import type { SimulateOptions } from './options.ts';
import { orAborted } from './or-aborted.ts';
import { reportOf, type ServiceMemory, type SimulationReport } from './report.ts';
import { simulatedRunSpec } from './simulated-run.ts';
import type { SimulationView } from './view.ts';

export interface SimulationDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly view: SimulationView;
}

export interface SimulationRequest {
  readonly options: SimulateOptions;
  readonly runId: string;
  /** As it crosses to the drivers: without interceptors. */
  readonly platform: Omit<ChannelOptions, 'interceptors'>;
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
  const runs = createRunClient(request.platform, deps, PROGRAM_PATIENCE);
  const board = createNewsBoard(options.drivers);
  let drivers: Drivers | null = null;
  const startedAtMs = monotonicMs();
  let run: Run | null = null;
  const show = (): void =>
    deps.view.show({
      seconds: (monotonicMs() - startedAtMs) / 1_000,
      run,
      agents: options.agents,
      tally: board.tally(),
      rpcs: board.rpcs(),
    });
  const showing = setInterval(show, deps.view.everyMs);
  request.alongside.catch((error: unknown) => broken.abort(error));
  try {
    await runs.createRun(simulatedRunSpec(runId, options), signal);
    await runs.pauseRun(runId, 'until every virtual agent has enrolled', signal);
    const fleet = startDrivers({ options, runId, platform: request.platform, drivers: options.drivers }, board.hear);
    drivers = fleet;
    fleet.ended.catch((error: unknown) => broken.abort(error));
    await orAborted(board.untilEnrolled(options.agents), signal);
    const enrolSeconds = (monotonicMs() - startedAtMs) / 1_000;
    const begunAtMs = deps.clock.nowMs();
    await runs.resumeRun(runId, signal);
    fleet.begin();
    const settled = await followToItsEnd(runs, {
      runId,
      signal,
      onRun: (now) => {
        run = now;
      },
    });
    // Who is away, or waits before it asks again, would hear of the end much later.
    fleet.stop();
    await fleet.ended;
    show();
    const tally = board.tally();
    return reportOf({
      options,
      run: settled,
      begunAtMs,
      enrolSeconds,
      rpcs: board.rpcs(),
      services: await request.servicesMemory(),
      tally,
      audit: await audit(request, settled, tally.acknowledgements),
      eventLoopDelayP99Ms: board.eventLoopDelayP99Ms(),
    });
  } catch (error) {
    // The stores may outlast this process, and whoever starts on them next would go on with it. A platform that is gone has no run.
    if (run === null || (run as Run).outcome === Outcome.UNSPECIFIED)
      await runs.cancelRun(runId, 'the simulation that created it has ended').catch(() => {});
    throw broken.signal.aborted && !request.signal.aborted ? broken.signal.reason : error;
  } finally {
    broken.abort(new Error('the simulation ended'));
    clearInterval(showing);
    drivers?.stop();
    await drivers?.ended.catch(() => {});
    runs.close();
  }
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

async function audit(
  request: SimulationRequest,
  run: Run,
  acknowledgements: readonly Acknowledgement[],
): Promise<Audit | null> {
  if (request.objectStore === null) return null;
  const rounds = run.published.map(({ round }) => round);
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(AUDIT_MS_MAX)]);
  const manifests = await readManifests(request.objectStore, { runId: request.runId, rounds }, signal);
  return auditUpdates(acknowledgements, manifests);
}
