import {
  isRefusal,
  parseRunId,
  type Refusal,
  type RunId,
  type RunOrigin,
  type RunSpec,
  refuse,
  validateFork,
} from '@flexlora/core';
import type { StateView } from '../run-reader.ts';
import type { ControlDeps } from './control-deps.ts';

/** The adapter that a run published in a round, as another run names it. */
export async function originOf(
  deps: Pick<ControlDeps, 'reader'>,
  runIdText: string,
  round: number,
): Promise<RunOrigin | Refusal> {
  const runId = parseRunId(runIdText);
  if (isRefusal(runId)) return refuse('badId', `from_${runId.message}`);
  const view = await readOrigin(deps, runId);
  if (isRefusal(view)) return view;
  const { published } = view.state;
  const summary = published.get(round);
  if (summary !== undefined) return { runId, round, manifestDigest: summary.manifest.digest };
  const allowed = published.size === 0 ? 'none, it has published nothing yet' : `0 to ${published.size - 1}`;
  return refuse('notPublished', `round is ${round}; allowed of run ${runId}: ${allowed}`);
}

/** Whether the run can begin with the adapter that it names; null: it can, or it begins with one of its own. */
export async function checkOrigin(
  deps: Pick<ControlDeps, 'reader'>,
  { origin, ...spec }: RunSpec,
): Promise<Refusal | null> {
  if (origin === null) return null;
  const known = await originOf(deps, origin.runId, origin.round);
  if (isRefusal(known)) return known;
  if (known.manifestDigest !== origin.manifestDigest) {
    return refuse(
      'badDigest',
      `origin.manifest_digest is ${origin.manifestDigest}; allowed: ${known.manifestDigest}, that of round ${origin.round} of run ${origin.runId}`,
    );
  }
  const view = await readOrigin(deps, origin.runId);
  return isRefusal(view) ? view : validateFork({ ...spec, origin }, view.state.spec);
}

async function readOrigin({ reader }: Pick<ControlDeps, 'reader'>, runId: RunId): Promise<StateView | Refusal> {
  const view = await reader.readState(runId);
  return view ?? refuse('unknownRun', `there is no run ${runId} to begin with; allowed: a run that ListRuns shows`);
}
