import { planAggregation } from '../aggregation/plan-aggregation.ts';
import { isExhausted } from '../aggregation/task-lease.ts';
import { COHORT_AGENTS_MAX, TASK_LAPSES_MAX, TROUBLES_MAX } from '../limits.ts';
import { isRefusal } from '../refusal.ts';
import { acceptedAs } from './count-update.ts';
import { canonicalJson } from './documents/canonical-json.ts';
import { acceptedUpdates, carriedUpdates } from './documents/ledger-of.ts';
import type { LedgerUpdate } from './documents/round-ledger.ts';
import { compareKeys } from './persistent-map.ts';
import { tallyCohort } from './phases/collecting.ts';
import { lastRound } from './published-round.ts';
import { effectId, type RoundEffect } from './round-effect.ts';
import type { AcceptedUpdate, AggregatingStage, CountedUpdate, RoundState, TaskRecord } from './round-state.ts';
import { outlivesRun } from './settle.ts';

/** What always holds of a state, as sentences about where it does not. Read by tests and simulations; empty when all is well. */
export function checkInvariants(state: RoundState): readonly string[] {
  const broken: string[] = [];
  const must = (holds: boolean, sentence: string): void => {
    if (!holds) broken.push(sentence);
  };
  checkRounds(state, must);
  checkPhase(state, must);
  checkCohort(state, must);
  checkTasks(state, must);
  checkEffects(state, must);
  return broken;
}

/** What holds between a state and any later one: nothing published or acknowledged is lost. */
export function checkTransition(before: RoundState, after: RoundState): readonly string[] {
  const broken: string[] = [];
  if (after.round < before.round) broken.push(`the round went back from ${before.round} to ${after.round}`);
  for (const [round, summary] of before.published) {
    if (after.published.get(round) !== summary) broken.push(`published round ${round} changed`);
  }
  if (before.phase.kind === 'settled' && before.phase.outcome !== 'failed' && after.phase !== before.phase)
    broken.push(`a ${before.phase.outcome} run went on`);
  if (after.phase.kind === 'settled') return broken;
  const held = new Set([...acceptedUpdates(after), ...carriedLedger(after)].map(({ objectName }) => objectName));
  const owed = after.round === before.round ? acceptedUpdates(before) : [];
  for (const { agentId, objectName } of [...owed, ...carriedLedger(before)]) {
    if (!held.has(objectName)) broken.push(`the accepted update of ${agentId} is gone`);
  }
  return broken;
}

type Must = (holds: boolean, sentence: string) => void;

const carriedLedger = (state: RoundState): readonly LedgerUpdate[] => carriedUpdates(state).carried ?? [];

function checkRounds(state: RoundState, must: Must): void {
  const { round, published, phase } = state;
  const last = lastRound(state);
  const isComplete = phase.kind === 'settled' && phase.outcome === 'completed';
  must(round >= 0 && round <= last, `round ${round} is not one of 0 to ${last}`);
  must(
    published.size === (isComplete ? last + 1 : round),
    `round ${round} is open and ${published.size} rounds are published`,
  );
  for (let n = 0; n < published.size; n += 1)
    must(published.get(n)?.round === n, `published rounds have a gap at ${n}`);
}

function checkPhase({ phase, paused, round, cohort, spec }: RoundState, must: Must): void {
  const { members, answered, accepted } = tallyCohort(cohort);
  const { goal, minimum } = spec.cohort;
  must(round > 0 || members === 0, 'round 0 has a cohort');
  must(members <= COHORT_AGENTS_MAX, `the cohort has ${members} agents`);
  switch (phase.kind) {
    case 'recruiting':
      must(round > 0, 'round 0 recruits');
      must(members === accepted, 'a recruiting round holds members without an accepted update');
      must(accepted < goal || paused !== null, 'a recruiting round has reached its goal');
      return;
    case 'collecting':
      must(round > 0, 'round 0 collects');
      must(answered < members, 'everybody has answered and the round still collects');
      must(accepted < goal, 'the goal is reached and the round still collects');
      must(phase.deadlineAtMs > phase.sinceMs, 'the deadline is before the round began to collect');
      return;
    case 'aggregating':
      must(
        round === 0 || isRollback(phase.stage) || accepted >= minimum,
        `round ${round} is aggregated with ${accepted} updates, the minimum is ${minimum}`,
      );
      return;
    case 'settled':
      must(paused === null, 'a settled run is paused');
      must(phase.outcome !== 'completed' || members === 0, 'a completed run has a cohort');
      return;
  }
}

const isRollback = (stage: AggregatingStage): boolean =>
  stage.kind === 'rollingBack' || (stage.kind === 'reconciling' && stage.rollBackTo !== null);

function checkCohort(state: RoundState, must: Must): void {
  for (const [agentId, { assignment, progress }] of state.cohort) {
    must(
      assignment.round === state.round && assignment.adapterVersion === state.round - 1,
      `the assignment of ${agentId} is of another round`,
    );
    if (progress.kind !== 'accepted') {
      must(state.agents.has(agentId), `member ${agentId} is not enrolled`);
      continue;
    }
    const { update } = progress;
    must(
      JSON.stringify(Object.entries(update.ranks).sort()) === JSON.stringify(Object.entries(assignment.ranks).sort()),
      `the accepted update of ${agentId} has other ranks than assigned`,
    );
    const last = state.agents.get(agentId)?.lastAccepted;
    must(
      last === undefined || state.carried.has(agentId) || isRecordOf(last, update, state.round),
      `the record of ${agentId} does not name its accepted update`,
    );
  }
  checkCarried(state, must);
  for (const agentId of state.readiness.keys()) {
    const agent = state.agents.get(agentId);
    must(agent !== undefined && !isRefusal(agent.rank), `${agentId} is ready and cannot be chosen`);
  }
  const ledger = acceptedUpdates(state);
  must(
    ledger.every(({ agentId }, i) => i === 0 || compareKeys(ledger[i - 1]!.agentId, agentId) < 0),
    'the ledger is not ordered by agent, each once',
  );
  must(new Set(ledger.map(({ objectName }) => objectName)).size === ledger.length, 'the ledger names an object twice');
}

function isRecordOf(last: AcceptedUpdate | null, update: CountedUpdate, round: number): boolean {
  return canonicalJson(last) === canonicalJson(acceptedAs(update, round));
}

function checkCarried({ carried, agents, phase, round, cohort }: RoundState, must: Must): void {
  must(
    carried.size === 0 || phase.kind === 'aggregating' || phase.kind === 'settled',
    `updates are carried over while the run is ${phase.kind}`,
  );
  for (const [agentId, update] of carried) {
    must(update.trainedIn <= round, `the update of ${agentId} is carried over from round ${update.trainedIn}`);
    const last = agents.get(agentId)?.lastAccepted;
    must(
      last === undefined || isRecordOf(last, update, round + 1),
      `the record of ${agentId} does not name the update that is carried over`,
    );
    const progress = cohort.get(agentId)?.progress;
    must(
      progress?.kind !== 'accepted' || progress.update.objectName !== update.objectName,
      `the update of ${agentId} counts in round ${round} and in the next`,
    );
  }
}

function checkTasks({ phase, tasks, spec }: RoundState, must: Must): void {
  const stage = phase.kind === 'aggregating' ? phase.stage.kind : null;
  const hasTasks = stage === 'runningTasks' || stage === 'publishing';
  must(hasTasks || tasks.size === 0, `there are tasks while the run is ${stage ?? phase.kind}`);
  if (!hasTasks) return;
  const planned = planAggregation(spec);
  must(
    planned.length === tasks.size && planned.every(({ taskId }) => tasks.has(taskId)),
    'the tasks are not those of the plan',
  );
  const names = [...tasks.values()].flatMap(({ modules }) => modules);
  must(
    names.length === spec.modules.length && new Set(names).size === names.length,
    'the tasks do not hold every module once',
  );
  for (const [taskId, task] of tasks) {
    checkTask(taskId, task, must);
  }
  const allDone = [...tasks.values()].every(({ progress }) => progress.kind === 'done');
  must(allDone === (stage === 'publishing'), `all tasks are done: ${allDone}, and the stage is ${stage}`);
}

function checkTask(taskId: string, task: TaskRecord, must: Must): void {
  const { progress, attempt, claimId, failures, lapses } = task;
  const wentWrong = failures.length + lapses.length;
  must(wentWrong <= attempt, `task ${taskId} went wrong ${wentWrong} times in ${attempt} attempts`);
  must((claimId === null) === (attempt === 0), `attempt ${attempt} of task ${taskId} has the claim ${claimId}`);
  must(
    (progress.kind === 'pending' && progress.lapsedFrom === null) || progress.kind === 'held' || attempt >= 1,
    `task ${taskId} is ${progress.kind} and was never claimed`,
  );
  must(!isExhausted(task), `task ${taskId} goes on after its last failure`);
  must(lapses.length <= TASK_LAPSES_MAX, `task ${taskId} was given out again after ${lapses.length} lapses`);
  if (progress.kind !== 'pending' && progress.kind !== 'held') return;
  must(
    progress.lapsedFrom === null || progress.lapsedFrom === lapses.at(-1),
    `task ${taskId} lapsed from ${progress.lapsedFrom}, and its last lapse is of ${lapses.at(-1)}`,
  );
  must(wentWrong > 0 || progress.kind === 'pending', `task ${taskId} is held and nothing went wrong with it`);
}

function checkEffects({ phase, round, effects, troubles, standingSequence }: RoundState, must: Must): void {
  for (const id of troubles.keys()) must(effects.has(id), `${id} has troubles and is not pending`);
  must(troubles.size <= TROUBLES_MAX, `${troubles.size} effects have troubles`);
  for (const [id, effect] of effects) {
    must(id === effectId(effect), `effect ${id} has another id than it should`);
  }
  const stage = phase.kind === 'aggregating' ? phase.stage : null;
  const wanted = stage === null ? null : effectOf(stage, round);
  const closing = [...effects.values()].filter((effect) => !outlivesRun(effect)).map(effectId);
  must(
    closing.join() === (wanted === null ? '' : effectId(wanted)),
    `the pending effects ${closing.join(', ')} do not fit the stage ${stage?.kind}`,
  );
  const standings = [...effects.values()].filter(({ kind }) => kind === 'writeStanding');
  must(
    standings.every((effect) => effect.kind === 'writeStanding' && effect.sequence === standingSequence),
    `a standing older than ${standingSequence} is being written`,
  );
}

/** What a stage waits for, if that is an effect: nothing else of the open round is pending. */
function effectOf(stage: AggregatingStage, round: number): RoundEffect | null {
  switch (stage.kind) {
    case 'reconciling':
      return { kind: 'reconcileUpdates', round };
    case 'writingLedger':
      return { kind: 'writeLedger', round };
    case 'runningTasks':
      return null;
    case 'publishing':
      return { kind: 'publishManifest', round };
    case 'rollingBack':
      return { kind: 'publishRollback', round, of: stage.to };
    case 'forking':
      return { kind: 'publishFork' };
  }
}
