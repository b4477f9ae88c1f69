import { planAggregation } from '../aggregation/plan-aggregation.ts';
import { freshTask } from '../aggregation/task-lease.ts';
import { COHORT_AGENTS_MAX } from '../limits.ts';
import { withEffect } from './answer.ts';
import { checkUpdate } from './check-update.ts';
import { carryOver, countUpdate, sameRanks } from './count-update.ts';
import { acceptedUpdates } from './documents/ledger-of.ts';
import type { LedgerUpdate } from './documents/round-ledger.ts';
import { persistentMap, withEntry, withoutEntry } from './persistent-map.ts';
import type { AggregatingStage, RoundState, StoredDocument } from './round-state.ts';

/** Closes the open round, once the object store was asked whether it holds updates that the state lacks. */
export function beginAggregating(state: RoundState, atMs: number): RoundState {
  if (state.round > 0) return reconcile(state, null, atMs);
  return state.spec.origin === null ? writeLedger(state, atMs) : fork(state, atMs);
}

/** `rollBackTo`: what is published is not the round's sum but that round's adapter again. */
export const reconcile = (state: RoundState, rollBackTo: number | null, atMs: number): RoundState =>
  withEffect(
    { ...state, phase: { kind: 'aggregating', sinceMs: atMs, stage: { kind: 'reconciling', rollBackTo } } },
    { kind: 'reconcileUpdates', round: state.round },
  );

/** Of a round that takes no more updates: its ledger is written, or was and is asked for once more. */
export const writeLedger = (state: RoundState, atMs: number): RoundState =>
  withEffect(
    { ...state, phase: { kind: 'aggregating', sinceMs: atMs, stage: { kind: 'writingLedger' } } },
    { kind: 'writeLedger', round: state.round },
  );

const fork = (state: RoundState, atMs: number): RoundState =>
  withEffect(
    { ...state, phase: { kind: 'aggregating', sinceMs: atMs, stage: { kind: 'forking' } } },
    { kind: 'publishFork' },
  );

export function onUpdatesReconciled(state: RoundState, found: readonly LedgerUpdate[], atMs: number): RoundState {
  const stage = stageOf(state);
  if (stage?.kind !== 'reconciling') return state;
  const whole = found.reduce((open, update) => takeFound(open, update, atMs), state);
  return stage.rollBackTo === null ? writeLedger(whole, atMs) : rollBack(whole, stage.rollBackTo, atMs);
}

/** The earlier adapter takes the round's place; whatever the round accepted counts in the next, which goes on from there. */
function rollBack(state: RoundState, to: number, atMs: number): RoundState {
  let open = acceptedUpdates(state).reduce(
    (rest, { agentId, ...update }) => carryOver(rest, agentId, update),
    releaseMembers(state),
  );
  open = { ...open, phase: { kind: 'aggregating', sinceMs: atMs, stage: { kind: 'rollingBack', to } } };
  return withEffect(open, { kind: 'publishRollback', round: state.round, of: to });
}

/** Ends the cohort. Where late updates are carried over, a record keeps what its agent may still deliver. */
export function releaseMembers(state: RoundState): RoundState {
  let { agents } = state;
  for (const [agentId, { assignment, progress }] of state.cohort) {
    const agent = agents.get(agentId);
    if (state.spec.cohort.late === 'refuse' || agent === undefined || progress.kind === 'accepted') continue;
    agents = withEntry(agents, agentId, { ...agent, lateAssignment: assignment });
  }
  return { ...state, agents, cohort: persistentMap() };
}

/**
 * The store holds an update that this state does not know: the round store lost the newest it knew, and the update may have been
 * acknowledged before that. So it counts, if the agent has none in the round and it is what the agent was, or could have been, told to do.
 */
export function takeFound(state: RoundState, update: LedgerUpdate, atMs: number): RoundState {
  const member = state.cohort.get(update.agentId);
  if (member?.progress.kind === 'accepted' || checkUpdate(update, update.ranks) !== null) return state;
  const { rank, modules } = state.spec;
  const groups = Object.fromEntries(modules.map(({ rankGroup }) => [rankGroup, update.ranks[rankGroup]]));
  const fitsRun =
    sameRanks(groups as LedgerUpdate['ranks'], update.ranks) &&
    Object.values(update.ranks).every((r) => Number.isInteger(r) && r >= 1 && r <= rank.max);
  const fits =
    member !== undefined && update.trainedIn === undefined ? sameRanks(member.assignment.ranks, update.ranks) : fitsRun;
  if (!fits || (member === undefined && state.cohort.size >= COHORT_AGENTS_MAX)) return state;
  return countUpdate(state, update, atMs);
}

export function onLedgerWritten(state: RoundState, ledger: StoredDocument): RoundState {
  const { phase } = state;
  if (phase.kind !== 'aggregating' || phase.stage.kind !== 'writingLedger') return state;
  const tasks = planAggregation(state.spec).map(({ taskId, modules }) => {
    return [taskId, freshTask(modules)] as const;
  });
  return { ...state, tasks: persistentMap(tasks), phase: { ...phase, stage: { kind: 'runningTasks', ledger } } };
}

/** The round is made of what the stored ledger says. What this state acknowledged beside it counts in the next round. */
export const onLedgerFound = (
  state: RoundState,
  ledger: StoredDocument,
  updates: readonly LedgerUpdate[],
  atMs: number,
): RoundState =>
  stageOf(state)?.kind === 'writingLedger' ? onLedgerWritten(adoptLedger(state, updates, atMs), ledger) : state;

export function adoptLedger(state: RoundState, updates: readonly LedgerUpdate[], atMs: number): RoundState {
  const listed = new Map(updates.map((update) => [update.agentId, update]));
  let adopted = state;
  for (const { agentId } of acceptedUpdates(state)) {
    if (!listed.has(agentId)) adopted = { ...adopted, cohort: withoutEntry(adopted.cohort, agentId) };
  }
  for (const update of updates) {
    const progress = adopted.cohort.get(update.agentId)?.progress;
    const isKnown = progress?.kind === 'accepted' && progress.update.objectName === update.objectName;
    if (!isKnown) adopted = countUpdate(adopted, update, atMs);
  }
  for (const { agentId, ...update } of acceptedUpdates(state)) {
    if (listed.get(agentId)?.digest !== update.digest) adopted = carryOver(adopted, agentId, update);
  }
  return adopted;
}

const stageOf = ({ phase }: RoundState): AggregatingStage | null => (phase.kind === 'aggregating' ? phase.stage : null);
