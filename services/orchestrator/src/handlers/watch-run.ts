import { Phase, type Run, type WatchRunRequest, type WatchRunResponse } from '@flexlora/contracts/run/v1/run_service';
import { isRefusal, parseRunId, type Refusal, type RunId } from '@flexlora/core';
import type { CallContext } from '@flexlora/runtime';
import { HEAD_AGE_MS_MAX, WATCH_COALESCE_MS, WATCH_COALESCE_MS_MAX, WATCH_MS_PER_AGENT } from '../limits.ts';
import { extentOf, type RunExtent, runMessage, runSummary } from '../translate/run-view.ts';
import type { ControlDeps } from './control-deps.ts';
import { unknownRun } from './run-service.ts';

/** Tells how a run stands, now and after each change; changes that follow closely are told once. Ends with the run. */
export async function* watchRun(
  deps: ControlDeps,
  request: WatchRunRequest,
  call: CallContext,
): AsyncGenerator<WatchRunResponse, Refusal | undefined> {
  const runId = parseRunId(request.runId);
  if (isRefusal(runId)) return runId;
  if ((await deps.reader.readHead(runId)) === null) return unknownRun(runId);
  const slot = deps.watchSlots.take();
  try {
    return yield* follow(deps, runId, extentOf(request), call);
  } finally {
    slot.release();
  }
}

async function* follow(
  deps: ControlDeps,
  runId: RunId,
  extent: RunExtent,
  call: CallContext,
): AsyncGenerator<WatchRunResponse, Refusal | undefined> {
  const pulse = deps.signals.committed(runId);
  let told = -1;
  for (;;) {
    const seen = pulse.count;
    const look = await lookAt(deps, runId, extent);
    if (look === null) return unknownRun(runId);
    if (look.version !== told) yield { run: look.run };
    told = look.version;
    if (look.run.phase === Phase.SETTLED || deps.stopping.aborted) return undefined;
    // Beats once more when the process stops.
    await pulse.waitSince(seen, HEAD_AGE_MS_MAX, call.signal);
    if (deps.stopping.aborted) return undefined;
    await deps.clock.sleep(coalesceMs(look.run, extent), call.signal);
  }
}

interface Look {
  readonly version: number;
  readonly run: Run;
}

async function lookAt({ reader, clock }: ControlDeps, runId: RunId, extent: RunExtent): Promise<Look | null> {
  if (extent === 'withoutCohort') {
    const view = await reader.readStanding(runId);
    return view && { version: view.version, run: runSummary(view.head, view.published, clock.nowMs()) };
  }
  const view = await reader.readState(runId);
  return view && { version: view.version, run: runMessage(view.state, clock.nowMs()) };
}

/** What a look at the cohort costs grows with the run, so that a large run is looked at less often. */
const coalesceMs = ({ agentsEnrolled }: Run, extent: RunExtent): number =>
  extent === 'withoutCohort'
    ? WATCH_COALESCE_MS
    : Math.min(WATCH_COALESCE_MS_MAX, Math.max(WATCH_COALESCE_MS, agentsEnrolled * WATCH_MS_PER_AGENT));
