import type { AgentId, RunId, Sha256Hex, TaskId } from './ids.ts';

/**
 * Every object's name. With these alone a run is rebuilt from the object store (its specification, each round's ledger and manifest, the
 * updates of the open round):
 *
 * ```text
 * runs/<run>/spec.json                                      what the run is
 * runs/<run>/standing/<sequence>.json                       what operators decided: a `RunStanding`; six digits, the highest counts
 * runs/<run>/rounds/<n>/updates/<agent>/<attempt>.safetensors   an agent's factors; n has six digits
 * runs/<run>/rounds/<n>/updates/<agent>/facts.json          the agent's verified update, a `LedgerUpdate`: the first that was verified
 * runs/<run>/rounds/<n>/ledger.json                         the updates that the round is made of
 * runs/<run>/rounds/<n>/adapter/<task>-<ledger>-<attempt>-<claim>.bin   rank-major components of a group of modules
 * runs/<run>/rounds/<n>/manifest.json                       written last: the round is published; it may name another round's or run's objects
 * ```
 */
export const RUNS_PREFIX = 'runs/';

export const runPrefix = (runId: RunId): string => `${RUNS_PREFIX}${runId}/`;
export const specObjectName = (runId: RunId): string => `${runPrefix(runId)}spec.json`;
export const standingPrefix = (runId: RunId): string => `${runPrefix(runId)}standing/`;
export const runStandingObjectName = (runId: RunId, sequence: number): string =>
  `${standingPrefix(runId)}${sixDigits(sequence)}.json`;
export const roundPrefix = (runId: RunId, round: number): string => `${runPrefix(runId)}rounds/${sixDigits(round)}/`;
export const updatesPrefix = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}updates/`;
export const adapterPrefix = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}adapter/`;
export const ledgerObjectName = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}ledger.json`;
export const manifestObjectName = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}manifest.json`;

/** `attempt` is unique to one opened upload, so that two attempts of one agent never write the same object. */
export const updateObjectName = (runId: RunId, round: number, agentId: AgentId, attempt: string): string =>
  `${updatesPrefix(runId, round)}${agentId}/${attempt}${UPDATE_SUFFIX}`;

/** One an agent and round, written by a conditional put once the bytes were verified: with it the object store holds the update. */
export const updateFactsObjectName = (runId: RunId, round: number, agentId: AgentId): string =>
  `${updatesPrefix(runId, round)}${agentId}/${FACTS}`;

/** Of a name under `updatesPrefix`. Older programs wrote one an attempt, beside its bytes. */
export const isUpdateFactsObjectName = (objectName: string): boolean => objectName.endsWith('.json');

const UPDATE_SUFFIX = '.safetensors';
const FACTS = 'facts.json';
const sixDigits = (number: number): string => String(number).padStart(6, '0');

/** What makes an attempt's object its own: attempts count from 1 again in a run that was begun anew from the object store; claims never do. */
export interface TaskAttempt {
  readonly attempt: number;
  readonly claimId: string;
}

/** `ledger` is the digest of the list that is summed; its first digits stand in the name. */
export const adapterObjectName = (
  runId: RunId,
  round: number,
  taskId: TaskId,
  { attempt, claimId }: TaskAttempt,
  ledger: Sha256Hex,
): string => `${adapterPrefix(runId, round)}${taskId}-${ledger.slice(0, LEDGER_DIGITS)}-${attempt}-${claimId}.bin`;

const LEDGER_DIGITS = 8;
