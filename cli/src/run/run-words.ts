import { MemberState, Outcome, Phase, WaitingFor } from '@flexlora/contracts/run/v1/run_service';

/** The contract's enumerations in words, for people and for JSON. */

const PHASES: Readonly<Record<Phase, string>> = {
  [Phase.UNSPECIFIED]: 'unknown',
  [Phase.RECRUITING]: 'recruiting',
  [Phase.COLLECTING]: 'collecting',
  [Phase.AGGREGATING]: 'aggregating',
  [Phase.SETTLED]: 'settled',
};

const OUTCOMES: Readonly<Record<Outcome, string | null>> = {
  [Outcome.UNSPECIFIED]: null,
  [Outcome.COMPLETED]: 'completed',
  [Outcome.FAILED]: 'failed',
  [Outcome.CANCELLED]: 'cancelled',
};

const WAITING: Readonly<Record<WaitingFor, string | null>> = {
  [WaitingFor.UNSPECIFIED]: null,
  [WaitingFor.AGENTS]: 'agents',
  [WaitingFor.UPDATES]: 'updates',
  [WaitingFor.AGGREGATORS]: 'aggregators',
  [WaitingFor.TASKS]: 'tasks',
  [WaitingFor.HELD_TASK]: 'held_task',
  [WaitingFor.OBJECT_STORE]: 'object_store',
  [WaitingFor.RESUME]: 'resume',
};

const STATES: Readonly<Record<MemberState, string>> = {
  [MemberState.UNSPECIFIED]: 'unknown',
  [MemberState.ASSIGNED]: 'assigned',
  [MemberState.DOWNLOADING]: 'downloading',
  [MemberState.TRAINING]: 'training',
  [MemberState.UPLOADING]: 'uploading',
  [MemberState.ACCEPTED]: 'accepted',
  [MemberState.DECLINED]: 'declined',
  [MemberState.FAILED]: 'failed',
};

/** A newer server may tell what this command does not know. */
export const phaseWord = (phase: Phase): string => PHASES[phase] ?? 'unknown';
/** Null before the end. */
export const outcomeWord = (outcome: Outcome): string | null => OUTCOMES[outcome] ?? null;
/** Null when it waits for nothing. */
export const waitingWord = (waiting: WaitingFor): string | null => WAITING[waiting] ?? null;
export const stateWord = (state: MemberState): string => STATES[state] ?? 'unknown';
