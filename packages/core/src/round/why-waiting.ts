import type { RoundState } from './round-state.ts';
import { headOf, type RunHead } from './run-head.ts';

/** One sentence for an operator: what the run waits for, or how it ended. */
export const whyWaiting = (state: RoundState, nowMs: number): string => whyHeadWaits(headOf(state, nowMs), nowMs);

/** The same from the head alone, for doors; agents are counted as of the head's writing. */
export function whyHeadWaits(head: RunHead, nowMs: number): string {
  if (head.phase.kind === 'settled') return `${head.phase.outcome}: ${head.phase.reason}`;
  if (head.paused !== null)
    return `paused by operator: ${head.paused.reason || 'no reason given'} (${whyPhaseWaits(head, nowMs)})`;
  return whyPhaseWaits(head, nowMs);
}

function whyPhaseWaits(head: RunHead, nowMs: number): string {
  const { phase } = head;
  switch (phase.kind) {
    case 'recruiting':
      return whyRecruiting(head, nowMs);
    case 'collecting':
      return `collecting round ${head.round}: ${head.cohort.accepted} of ${head.cohort.goal} updates, ${head.cohort.answered} of ${head.cohort.members} agents have answered, ${secondsLeft(phase.deadlineAtMs, nowMs)}`;
    case 'aggregating':
      return whyAggregating(head);
    case 'settled':
      return `${phase.outcome}: ${phase.reason}`;
  }
}

function whyRecruiting({ phase, round, agents, cohort }: RunHead, nowMs: number): string {
  if (phase.kind !== 'recruiting') return '';
  const kept = cohort.accepted === 0 ? '' : `, ${counted(cohort.accepted, 'update')} kept from before`;
  const tooSmall = agents.tooSmall === 0 ? '' : `, no rank of the run fits ${counted(agents.tooSmall, 'agent')}`;
  const again = phase.reopened === 0 ? '' : `, opened again ${counted(phase.reopened, 'time')} for want of updates`;
  const ready = `${agents.available} of ${agents.wanted} ready${kept}${tooSmall}${again}`;
  if (phase.startsAtMs !== null)
    return `starting round ${round} with those who are ready: ${ready}, ${secondsLeft(phase.startsAtMs, nowMs)}`;
  return `waiting for ${counted(Math.max(agents.wanted - agents.available, 0), 'more agent')} for round ${round}: ${ready}, ${agents.missing} at least`;
}

function whyAggregating({ phase, round, tasks }: RunHead): string {
  if (phase.kind !== 'aggregating') return '';
  switch (phase.stage.kind) {
    case 'writingLedger':
      return `aggregating round ${round}: writing the list of updates`;
    case 'runningTasks': {
      const idle = tasks.leased === 0 ? ', no aggregator is at work' : '';
      return `aggregating round ${round}: ${tasks.done} of ${tasks.pending + tasks.leased + tasks.done} tasks done${idle}`;
    }
    case 'publishing':
      return `aggregating round ${round}: publishing the adapter`;
  }
}

const secondsLeft = (atMs: number, nowMs: number): string => `${Math.max(0, Math.ceil((atMs - nowMs) / 1000))} s left`;

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;
