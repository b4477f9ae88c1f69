import { RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import { callUnary, failureOf, type Transport } from '@flexlora/runtime';
import type { VirtualClock } from '../clock/virtual-clock.ts';
import type { FaultPlan, WorldFault } from '../faults/fault-plan.ts';
import { ORCHESTRATOR_TARGET } from './addresses.ts';
import { RUN_ID, runSpecOf } from './run-of-world.ts';

type Act = Extract<WorldFault, { kind: 'operator' }>['act'];

/** Whoever wants the run: creates it, holds it, lets it go on, has it tried again, gives it up; each until it is heard. */
export interface Operator {
  start(): void;
  act(act: Act): void;
  stop(): void;
  /** It may have been heard without knowing. */
  readonly wantedCancel: boolean;
}

const CALL_MS = 10_000;
const RETRY_MS = 1_000;
/** A run that is held is let go on after this, so that every run ends. */
const PAUSED_MS = 8_000;

export function createOperator(
  plan: FaultPlan,
  deps: { readonly clock: VirtualClock; readonly transport: Transport; trace(line: string): void },
): Operator {
  const { clock } = deps;
  const runs = deps.transport.connect(RunServiceClient, { target: ORCHESTRATOR_TARGET, tls: null });
  const stopping = new AbortController();
  let wantedCancel = false;
  /** One thing after another, as a person does. */
  let last: Promise<void> = Promise.resolve();

  const once = (act: Act | 'create'): Promise<unknown> => {
    const options = { deadlineMs: CALL_MS, clock, signal: stopping.signal };
    const which = { runId: RUN_ID };
    switch (act) {
      case 'create':
        return callUnary(runs, runs.createRun, { spec: runSpecOf(plan.world, plan.seed) }, options);
      case 'pause':
        return callUnary(runs, runs.pauseRun, { ...which, reason: 'a look at it' }, options);
      case 'resume':
        return callUnary(runs, runs.resumeRun, which, options);
      case 'retry':
        return callUnary(runs, runs.retryRound, { ...which, reason: 'more memory' }, options);
      case 'cancel':
        return callUnary(runs, runs.cancelRun, { ...which, reason: 'enough' }, options);
    }
  };

  /** A refusal is an answer: the run has ended, or does not exist yet. */
  const untilHeard = async (act: Act | 'create'): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await once(act);
        deps.trace(`operator: ${act} done`);
        return;
      } catch (error) {
        const failure = failureOf(error);
        deps.trace(`operator: ${act}: ${failure.message}`);
        if (failure.kind === 'refusal' && (failure.reason !== 'unknownRun' || act !== 'create')) return;
        await clock.sleep(RETRY_MS, stopping.signal);
      }
    }
  };

  const then = (act: Act | 'create'): void => {
    last = last.then(() => untilHeard(act)).catch(() => {});
  };

  return {
    start: () => then('create'),
    act: (act) => {
      if (act === 'cancel') wantedCancel = true;
      then(act);
      if (act === 'pause') clock.schedule(clock.nowMs() + PAUSED_MS, () => then('resume'));
    },
    stop: () => stopping.abort(new Error('the simulation ends')),
    get wantedCancel() {
      return wantedCancel;
    },
  };
}
