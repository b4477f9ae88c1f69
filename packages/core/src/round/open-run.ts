import { type Refusal, refuse } from '../refusal.ts';
import { adoptRecovery, openRoundOf } from './adopt-recovery.ts';
import { type Answer, answer, done, withEffect } from './answer.ts';
import { beginAggregating } from './close-round.ts';
import { canonicalJson } from './documents/canonical-json.ts';
import { compareKeys, persistentMap } from './persistent-map.ts';
import { rollbackCount } from './published-round.ts';
import type { RoundEvent } from './round-event.ts';
import type { RoundReply } from './round-reply.ts';
import type { RoundState } from './round-state.ts';
import type { RunSpec } from './run-spec.ts';
import { adoptStanding } from './standing.ts';
import { validateRunSpec } from './validate-run-spec.ts';

type RunCreated = Extract<RoundEvent, { kind: 'runCreated' }>;
type RunRecovered = Extract<RoundEvent, { kind: 'runRecovered' }>;

/** The first event of a run: `runCreated`, or `runRecovered` after the round store lost it. Any other is refused. */
export function openRun(event: RoundEvent): { readonly state: RoundState | null; readonly reply: RoundReply } {
  if (event.kind !== 'runCreated' && event.kind !== 'runRecovered') {
    return {
      state: null,
      reply: refuse('unknownRun', `there is no run for the event ${event.kind}: create the run first`),
    };
  }
  const bad = validateRunSpec(event.spec) ?? (event.kind === 'runRecovered' ? checkRecovered(event) : null);
  if (bad !== null) return { state: null, reply: bad };
  return done(event.kind === 'runRecovered' ? recover(event) : create(event));
}

/** Creating a run again is the same run, unless it is to be another one. */
export const onRunCreated = (state: RoundState, event: RunCreated): Answer => repeated(state, event.spec);

/** A run that is there takes from the object store what it lacks: the round store may have lost the newest it knew. */
export function onRunRecovered(state: RoundState, event: RunRecovered): Answer {
  const same = repeated(state, event.spec);
  const bad = same.reply.kind === 'refusal' ? same.reply : checkRecovered(event);
  return bad === null ? adoptRecovery(state, event) : answer(state, bad);
}

function repeated(state: RoundState, spec: RunSpec): Answer {
  if (canonicalJson(state.spec) === canonicalJson(spec)) return done(state);
  return answer(
    state,
    refuse(
      'runExists',
      `run ${state.spec.runId} exists with another specification: choose another run_id, or send the same specification`,
    ),
  );
}

const create = ({ spec, atMs }: { readonly spec: RunSpec; readonly atMs: number }): RoundState =>
  beginAggregating(withEffect(emptyRun(spec, atMs), { kind: 'writeSpec' }), atMs);

const emptyRun = (spec: RunSpec, atMs: number): RoundState => ({
  spec,
  phase: { kind: 'recruiting', sinceMs: atMs, startsAtMs: null, reopened: 0 },
  paused: null,
  round: 0,
  agents: persistentMap(),
  readiness: persistentMap(),
  cohort: persistentMap(),
  tasks: persistentMap(),
  effects: persistentMap(),
  carried: persistentMap(),
  troubles: new Map(),
  standingSequence: 0,
  published: new Map(),
});

/** Agents enrol again by themselves; the updates that the object store holds for the open round are in it as they were. */
function recover(event: RunRecovered): RoundState {
  const { spec, atMs, published, standing } = event;
  const empty = { ...emptyRun(spec, atMs), published: new Map(published.map((summary) => [summary.round, summary])) };
  const state = published.length === 0 ? create(event) : openRoundOf(swept(empty), event);
  return standing === null ? state : adoptStanding(state, standing, atMs);
}

/** The sweep of the newest round may not have been performed. */
const swept = (state: RoundState): RoundState =>
  withEffect(state, { kind: 'sweepRound', round: state.published.size - 1 });

function checkRecovered({ spec, published, admitted, openRound }: RunRecovered): Refusal | null {
  const gap = published.findIndex((summary, n) => summary.round !== n);
  if (gap >= 0 || published.length > spec.rounds + rollbackCount(published) + 1) {
    return refuse(
      'unknownRound',
      `published rounds are ${published
        .map(({ round }) => round)
        .join(', ')
        .slice(
          0,
          200,
        )}; allowed: 0, 1, 2 … without a gap, at most ${spec.rounds + rollbackCount(published)}: restore the manifests that are missing, or delete those after the gap`,
    );
  }
  const unsorted = admitted.findIndex(({ agentId }, n) => n > 0 && compareKeys(admitted[n - 1]!.agentId, agentId) >= 0);
  if (unsorted >= 0) {
    return refuse(
      'badId',
      `admitted[${unsorted}] is of agent ${admitted[unsorted]!.agentId}; allowed: one update an agent, ascending by agent: sort them and drop the others`,
    );
  }
  if (published.length === 0 && admitted.length > 0) {
    return refuse(
      'unknownRound',
      `${admitted.length} updates for round 0; allowed: none, round 0 makes the initial adapter: offer the recovery without them`,
    );
  }
  if (openRound === 'closed' && published.length > 0 && admitted.length < spec.cohort.minimum) {
    return refuse(
      'badNumber',
      `a closed round of ${admitted.length} updates; allowed: at least ${spec.cohort.minimum}, those of its ledger: restore the ledger, or delete it and the round collects again`,
    );
  }
  return null;
}
