import { isRefusal, type ProbeMeasurement, type Refusal, type ResourceProfile, refuse } from '@flexlora/core';
import { callUnary, type RetryDeps, retry } from '@flexlora/runtime';
import type { Tell } from '../agent-event.ts';
import { type AgentLimits, CALL_MS_MAX, FIRST_PROBE_RANKS } from '../limits.ts';
import type { PatientDoor } from '../patient-door.ts';
import { probeRanks } from '../probe-ranks.ts';
import { type Trainer, TrainerError, type TrainerReady } from '../trainer.ts';
import { type RunPlan, runPlanOf } from '../translate.ts';

export interface EnrolDeps extends RetryDeps {
  readonly door: PatientDoor;
  readonly trainer: Trainer;
  readonly tell: Tell;
}

export interface EnrolRequest {
  readonly runId: string;
  readonly agentId: string;
  readonly memoryBytesMax: number;
  readonly uplinkBytesPerSecond: number;
  readonly samples: number;
  /** Multiplies the measured time of a step: above 1 plays a slower device. */
  readonly stepSecondsFactor: number;
  readonly limits: AgentLimits;
  readonly signal: AbortSignal;
}

export interface Enrolment {
  readonly kind: 'enrolment';
  readonly plan: RunPlan;
  readonly profile: ResourceProfile;
  readonly baseDigest: string;
}

/**
 * Measures the device and takes part. The tiers of a run are known only to those who take part, so the first measurement is at two small
 * ranks; with the answer's tiers the device is measured again and the better profile told, before any work is asked for.
 */
export async function enrol(deps: EnrolDeps, request: EnrolRequest): Promise<Enrolment | Refusal> {
  const ready = await askTrainer(deps, request, 'hello', () => deps.trainer.hello());
  const first = profileOf(request, await measure(deps, request, FIRST_PROBE_RANKS));
  const provisional = await tellProfile(deps.door, request, first, ready.baseDigest);
  if (isRefusal(provisional)) return provisional;
  const misfit = findMisfit(ready, provisional);
  if (misfit !== null) return misfit;

  const profile = profileOf(request, await measure(deps, request, probeRanks(provisional.tiers)));
  const plan = await tellProfile(deps.door, request, profile, ready.baseDigest);
  return isRefusal(plan) ? plan : { kind: 'enrolment', plan, profile, baseDigest: ready.baseDigest };
}

/** Tells what the agent has once more: the server forgot it, or it has changed. */
export async function enrolAgain(
  door: PatientDoor,
  request: Pick<EnrolRequest, 'runId' | 'agentId' | 'signal'>,
  { profile, baseDigest }: Enrolment,
): Promise<Enrolment | Refusal> {
  const plan = await tellProfile(door, request, profile, baseDigest);
  return isRefusal(plan) ? plan : { kind: 'enrolment', plan, profile, baseDigest };
}

async function tellProfile(
  door: PatientDoor,
  { runId, agentId, signal }: Pick<EnrolRequest, 'runId' | 'agentId' | 'signal'>,
  profile: ResourceProfile,
  baseModelDigest: string,
): Promise<RunPlan | Refusal> {
  const message = {
    runId,
    agentId,
    profile: { ...profile, measurements: profile.measurements.map((measurement) => ({ ...measurement })) },
    baseModelDigest,
  };
  const { agents, clock } = door;
  const answer = await door.patiently(
    'enrol',
    () => callUnary(agents, agents.enrol, message, { deadlineMs: CALL_MS_MAX, clock, signal }),
    signal,
  );
  return isRefusal(answer) ? answer : runPlanOf(answer.spec);
}

/** Measures at these ranks; those that do not fit the device are left out, the largest first. */
async function measure(
  deps: EnrolDeps,
  request: EnrolRequest,
  ranks: readonly number[],
): Promise<readonly ProbeMeasurement[]> {
  return askTrainer(deps, request, 'probe', async () => {
    for (let asked = ranks; ; asked = asked.slice(0, -1)) {
      try {
        return (await deps.trainer.probe({ ranks: asked }, { signal: request.signal })).measurements;
      } catch (error) {
        const isTooLarge = error instanceof TrainerError && error.code === 'out_of_memory';
        // Two ranks make a line.
        if (!isTooLarge || asked.length <= 2) throw error;
      }
    }
  });
}

/** A trainer that does not start today may start when its disk or device is back. */
async function askTrainer<T>(
  deps: EnrolDeps,
  { limits, signal }: EnrolRequest,
  what: string,
  operation: () => Promise<T>,
): Promise<T> {
  return retry(() => untilAborted(operation(), signal), limits.retry, deps, {
    signal,
    isWorthRetrying: (error) => error instanceof TrainerError,
    onRetry: (error, _attempt, waitMs) =>
      deps.tell({ kind: 'retrying', what, message: (error as Error).message, waitMs: Math.round(waitMs) }),
  });
}

/** Loading a base model takes minutes and cannot be cancelled: stopping does not wait for it. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', abort));
}

function profileOf(request: EnrolRequest, measurements: readonly ProbeMeasurement[]): ResourceProfile {
  return {
    memoryBytesMax: request.memoryBytesMax,
    uplinkBytesPerSecond: request.uplinkBytesPerSecond,
    samples: request.samples,
    measurements: measurements.map(({ rank, memoryBytes, stepSeconds }) => ({
      rank,
      memoryBytes: Math.ceil(memoryBytes),
      stepSeconds: Math.max(stepSeconds * request.stepSecondsFactor, SHORTEST_STEP_SECONDS),
    })),
  };
}

/** A clock that does not resolve a step says 0, which is not believed. */
const SHORTEST_STEP_SECONDS = 1e-6;

/** The trainer's base model against the run's: the server compares digests, only the agent knows its matrices. */
function findMisfit(ready: TrainerReady, plan: RunPlan): Refusal | null {
  const known = new Map(ready.modules.map((module) => [module.name, module]));
  for (const module of plan.modules) {
    const own = known.get(module.name);
    if (own?.out === module.out && own.in === module.in) continue;
    const got = own === undefined ? 'does not have it' : `has it as ${own.out} × ${own.in}`;
    return refuse(
      'badModule',
      `the run trains ${module.name}, ${module.out} × ${module.in}; the trainer ${got}: start the trainer on the run's base model`,
    );
  }
  return null;
}
