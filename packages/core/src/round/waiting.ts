import type { AggregatingStage, EffectTrouble, Outcome } from './round-state.ts';
import type { RunHead } from './run-head.ts';

/** What a run waits for: `code` for programs, `sentenceOf` for people. */
export type Waiting =
  | {
      readonly code: 'agents';
      readonly round: number;
      readonly ready: number;
      readonly wanted: number;
      /** Without which the round cannot start. */
      readonly atLeast: number;
      /** Accepted before the round was opened again. */
      readonly kept: number;
      readonly tooSmall: number;
      readonly reopened: number;
      /** Until the round starts with those who are ready; null while they are too few. */
      readonly startsInMs: number | null;
    }
  | {
      readonly code: 'updates';
      readonly round: number;
      readonly accepted: number;
      readonly goal: number;
      readonly answered: number;
      readonly members: number;
      readonly leftMs: number;
    }
  /** `aggregators`: nobody works on a task. `tasks`: somebody does. */
  | ({ readonly code: 'aggregators' | 'tasks' } & TaskTally)
  /** A task waits for an operator. */
  | ({ readonly code: 'heldTask' } & TaskTally)
  | {
      readonly code: 'objectStore';
      readonly round: number;
      readonly work: StoreWork;
      readonly trouble: EffectTrouble | null;
    }
  /** Paused; `otherwise` is what it would wait for otherwise. */
  | { readonly code: 'resume'; readonly reason: string; readonly otherwise: Waiting }
  /** It has ended. */
  | { readonly code: 'none'; readonly outcome: Outcome; readonly reason: string };

export type WaitingCode = Waiting['code'];

interface TaskTally {
  readonly round: number;
  readonly done: number;
  readonly total: number;
  readonly resting: number;
  readonly aggregators: number;
  readonly complaint: RunHead['tasks']['complaint'];
}

type StoreWork =
  | 'looking for updates that are stored'
  | 'writing the list of updates'
  | 'publishing the adapter'
  | 'publishing an earlier adapter again'
  | 'publishing the adapter of its origin';

/** From the head alone, so that any door can say it. Agents are counted as of the head's writing. */
export function waitingFor(head: RunHead, nowMs: number): Waiting {
  const { phase, paused } = head;
  if (paused !== null && phase.kind !== 'settled')
    return { code: 'resume', reason: paused.reason, otherwise: phaseWaitsFor(head, nowMs) };
  return phaseWaitsFor(head, nowMs);
}

function phaseWaitsFor({ phase, round, agents, cohort, tasks, troubles }: RunHead, nowMs: number): Waiting {
  switch (phase.kind) {
    case 'recruiting':
      return {
        code: 'agents',
        round,
        ready: agents.available,
        wanted: agents.wanted,
        atLeast: agents.missing,
        kept: cohort.accepted,
        tooSmall: agents.tooSmall,
        reopened: phase.reopened,
        startsInMs: phase.startsAtMs === null ? null : Math.max(0, phase.startsAtMs - nowMs),
      };
    case 'collecting':
      return { code: 'updates', round, ...cohort, leftMs: Math.max(0, phase.deadlineAtMs - nowMs) };
    case 'aggregating':
      return stageWaitsFor(phase.stage, round, tasks, worst(troubles.filter(([id]) => !id.startsWith(SWEEP))));
    case 'settled':
      return { code: 'none', outcome: phase.outcome, reason: phase.reason };
  }
}

function stageWaitsFor(
  stage: AggregatingStage,
  round: number,
  tasks: RunHead['tasks'],
  trouble: EffectTrouble | null,
): Waiting {
  switch (stage.kind) {
    case 'reconciling':
      return { code: 'objectStore', round, work: 'looking for updates that are stored', trouble };
    case 'writingLedger':
      return { code: 'objectStore', round, work: 'writing the list of updates', trouble };
    case 'rollingBack':
      return { code: 'objectStore', round, work: 'publishing an earlier adapter again', trouble };
    case 'forking':
      return { code: 'objectStore', round, work: 'publishing the adapter of its origin', trouble };
    case 'publishing':
      return { code: 'objectStore', round, work: 'publishing the adapter', trouble };
    case 'runningTasks': {
      const { done, pending, resting, leased, held, aggregators, complaint } = tasks;
      const total = done + pending + resting + leased + held;
      const code = held > 0 ? 'heldTask' : leased > 0 ? 'tasks' : 'aggregators';
      return { code, round, done, total, resting, aggregators, complaint };
    }
  }
}

/** One sentence for an operator: what it waits for and, where somebody must do something, what. */
export function sentenceOf(waiting: Waiting): string {
  switch (waiting.code) {
    case 'agents':
      return agentsSentence(waiting);
    case 'updates':
      return `collecting round ${waiting.round}: ${waiting.accepted} of ${waiting.goal} updates, ${waiting.answered} of ${waiting.members} agents have answered, ${secondsLeft(waiting.leftMs)}`;
    case 'aggregators':
      return `${tasksDone(waiting)}, no aggregator is at work${resting(waiting)}${complaintOf(waiting)}`;
    case 'tasks':
      return `${tasksDone(waiting)}, ${counted(waiting.aggregators, 'aggregator')} at work${resting(waiting)}${complaintOf(waiting)}`;
    case 'heldTask':
      return `${tasksDone(waiting)}, an operator must look${complaintOf(waiting)}`;
    case 'objectStore':
      return `aggregating round ${waiting.round}: ${waiting.work}${troubleOf(waiting.trouble)}`;
    case 'resume':
      return `paused by operator: ${waiting.reason || 'no reason given'} (${sentenceOf(waiting.otherwise)})`;
    case 'none':
      return `${waiting.outcome}: ${waiting.reason}`;
  }
}

function agentsSentence(waiting: Extract<Waiting, { code: 'agents' }>): string {
  const { round, ready, wanted, atLeast, startsInMs } = waiting;
  const kept = waiting.kept === 0 ? '' : `, ${counted(waiting.kept, 'update')} kept from before`;
  const tooSmall = waiting.tooSmall === 0 ? '' : `, no rank of the run fits ${counted(waiting.tooSmall, 'agent')}`;
  const again = waiting.reopened === 0 ? '' : `, opened again ${counted(waiting.reopened, 'time')}`;
  const readiness = `${ready} of ${wanted} ready`;
  if (startsInMs !== null)
    return `starting round ${round} with those who are ready: ${readiness}${kept}${tooSmall}${again}, ${secondsLeft(startsInMs)}`;
  return `waiting for ${counted(Math.max(wanted - ready, 0), 'more agent')}: ${readiness}, at least ${atLeast} for round ${round}${kept}${tooSmall}${again}`;
}

const tasksDone = ({ round, done, total }: TaskTally): string =>
  `aggregating round ${round}: ${done} of ${total} tasks done`;

const resting = (tally: TaskTally): string =>
  tally.resting === 0 ? '' : `, ${counted(tally.resting, 'task')} resting after a lost lease`;

const complaintOf = ({ complaint }: TaskTally): string =>
  complaint === null ? '' : `; task ${complaint.taskId}: ${complaint.reason}`;

/** The one that lasts longest stands for all: they have one cause as a rule. */
/** A round waits for no sweep. */
const SWEEP = 'sweep-round-';

const worst = (troubles: RunHead['troubles']): EffectTrouble | null =>
  troubles.reduce<EffectTrouble | null>((a, [, b]) => (a === null || b.sinceMs < a.sinceMs ? b : a), null);

const troubleOf = (trouble: EffectTrouble | null): string =>
  trouble === null ? '' : `; tried ${counted(trouble.attempts, 'time')}: ${trouble.reason}`;

const secondsLeft = (ms: number): string => `${Math.ceil(ms / 1000)} s left`;

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
