import type { Sight } from '../checks/state-watch.ts';
import { VIRTUAL_START_MS } from '../clock/virtual-clock.ts';
import { drawPlan } from '../faults/draw-plan.ts';
import type { FaultKind, FaultPlan } from '../faults/fault-plan.ts';
import { createWorld, type World } from '../world/world.ts';

/** How one simulated run ended. */
export interface SeedResult {
  readonly seed: number;
  /** What must never be and was; empty when all went well. */
  readonly broken: readonly string[];
  readonly struck: readonly FaultKind[];
  readonly seen: ReadonlyMap<Sight, number>;
  readonly steps: number;
  readonly virtualMs: number;
  readonly acknowledged: number;
  readonly trainings: number;
  readonly outcome: string;
}

/** A run in which nothing came forward for so long after its last fault stands still. */
const STUCK_AFTER_MS = 240_000;
/** Enough for what was late to come, and for what was left to be swept. */
const AFTERMATH_MS = 45_000;
/** A run this long is one that turns in a circle. */
const STEPS_MAX = 400_000;

export const runSeed = (seed: number, trace?: (line: string) => void): Promise<SeedResult> =>
  runPlan(drawPlan(seed), trace);

/** Plays a plan to its end, or to the first thing that must not be. */
export async function runPlan(plan: FaultPlan, trace: (line: string) => void = () => {}): Promise<SeedResult> {
  const world = createWorld(plan, trace);
  const unhandled = (error: unknown): void => world.findings.broken(`nobody caught: ${describe(error)}`);
  process.on('unhandledRejection', unhandled);
  const play = createPlay(world);
  try {
    world.start();
    await play.untilSettled();
    if (world.findings.all.length === 0) await play.aftermath();
    if (world.findings.all.length === 0) checkEnd(plan, world);
  } finally {
    world.end();
    await quiet();
    process.off('unhandledRejection', unhandled);
  }
  return resultOf(plan, world, play.steps());
}

interface Play {
  untilSettled(): Promise<void>;
  aftermath(): Promise<void>;
  steps(): number;
}

function createPlay(world: World): Play {
  const { clock, state, receipts, trainings, findings } = world;
  let steps = 0;
  let progress = '';
  let lastCounts = 0;
  let progressAtMs = clock.nowMs();

  const look = async (): Promise<void> => {
    const isNew = await state.look(clock.nowMs());
    receipts.look();
    const counts = receipts.count + trainings.count;
    if (!isNew && counts === lastCounts) return;
    lastCounts = counts;
    const now = progressOf(world);
    if (now === progress) return;
    progress = now;
    progressAtMs = clock.nowMs();
  };

  /** One timer, and everything that follows from it. False when there is no next step. */
  const step = async (): Promise<boolean> => {
    if (clock.nextAtMs() === null) return false;
    clock.advance();
    await quiet();
    await look();
    steps += 1;
    if (steps >= STEPS_MAX) findings.broken(`the run took ${steps} steps and did not end`);
    return findings.all.length === 0;
  };

  const isSettled = (): boolean => state.state?.phase.kind === 'settled' && state.state.effects.size === 0;

  return {
    steps: () => steps,
    untilSettled: async () => {
      await quiet();
      while (!isSettled() || clock.nowMs() < world.calmAtMs()) {
        if (!(await step())) return;
        if (clock.nowMs() - Math.max(progressAtMs, world.calmAtMs()) > STUCK_AFTER_MS)
          return findings.broken(`the run stands still: ${progress}`);
      }
    },
    aftermath: async () => {
      const untilMs = clock.nowMs() + AFTERMATH_MS;
      while (clock.nowMs() < untilMs) if (!(await step())) return;
    },
  };
}

/** What a run that comes forward changes. */
function progressOf({ state: { state }, receipts, trainings }: World): string {
  if (state === null) return `no state, ${receipts.count} receipts`;
  const accepted = [...state.cohort.values()].filter(({ progress }) => progress.kind === 'accepted').length;
  const tasks = [...state.tasks].map(([id, { progress }]) => `${id} ${progress.kind}`).join();
  const { phase, round, paused } = state;
  const stage = phase.kind === 'aggregating' ? phase.stage.kind : '';
  return `round ${round} ${phase.kind} ${stage} ${paused === null ? '' : 'paused'} ${accepted} accepted, tasks ${tasks}, ${trainings.count} trainings`;
}

function checkEnd(plan: FaultPlan, { state, receipts, operator, findings, objects }: World): void {
  const phase = state.state?.phase;
  if (phase?.kind === 'settled' && phase.outcome === 'cancelled' && operator.wantedCancel) return;
  if (phase?.kind !== 'settled' || phase.outcome !== 'completed')
    findings.broken(`the run ended ${phase?.kind === 'settled' ? `${phase.outcome}: ${phase.reason}` : phase?.kind}`);
  for (let round = 0; round <= plan.world.rounds; round += 1)
    if (!objects.manifests.has(round)) findings.broken(`the run ended without a manifest of round ${round}`);
  receipts.lookAtEnd();
}

function resultOf(plan: FaultPlan, world: World, steps: number): SeedResult {
  const phase = world.state.state?.phase;
  return {
    seed: plan.seed,
    broken: world.findings.all,
    struck: world.conductor.struck,
    seen: world.state.seen,
    steps,
    virtualMs: world.clock.nowMs() - VIRTUAL_START_MS,
    acknowledged: world.receipts.count,
    trainings: world.trainings.count,
    outcome: phase?.kind === 'settled' ? phase.outcome : 'none',
  };
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error));

/** Everything that follows from a step has happened: with all time virtual, nothing but micro-tasks and ticks is left to do. */
const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
