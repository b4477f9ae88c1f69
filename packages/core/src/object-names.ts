import type { AgentId, RunId, Sha256Hex, TaskId } from './ids.ts';

/**
 * Every object's name. With these alone a run is rebuilt from the object store (its specification, each round's ledger and manifest, the
 * updates of the open round):
 *
 * ```text
 * runs/<run>/spec.json                                      what the run is
 * runs/<run>/rounds/<n>/updates/<agent>/<attempt>.safetensors   an agent's factors; n has six digits
 * runs/<run>/rounds/<n>/updates/<agent>/<attempt>.json      what the verified update of this attempt is: a `LedgerUpdate`
 * runs/<run>/rounds/<n>/ledger.json                         the updates that the round is made of
 * runs/<run>/rounds/<n>/adapter/<task>-<ledger>-<attempt>-<claim>.bin   rank-major components of a group of modules
 * runs/<run>/rounds/<n>/manifest.json                       written last: the round is published
 * ```
 */
export const RUNS_PREFIX = 'runs/';

export const runPrefix = (runId: RunId): string => `${RUNS_PREFIX}${runId}/`;
export const specObjectName = (runId: RunId): string => `${runPrefix(runId)}spec.json`;
export const roundPrefix = (runId: RunId, round: number): string =>
  `${runPrefix(runId)}rounds/${String(round).padStart(6, '0')}/`;
export const updatesPrefix = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}updates/`;
export const ledgerObjectName = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}ledger.json`;
export const manifestObjectName = (runId: RunId, round: number): string => `${roundPrefix(runId, round)}manifest.json`;

/** `attempt` is unique to one opened upload, so that two attempts of one agent never write the same object. */
export const updateObjectName = (runId: RunId, round: number, agentId: AgentId, attempt: string): string =>
  `${updatesPrefix(runId, round)}${agentId}/${attempt}${UPDATE_SUFFIX}`;

/** Beside an update's bytes; null for the name of another object. */
export const updateFactsObjectName = (updateObjectName: string): string | null =>
  updateObjectName.endsWith(UPDATE_SUFFIX)
    ? `${updateObjectName.slice(0, -UPDATE_SUFFIX.length)}${FACTS_SUFFIX}`
    : null;

/** Of a name under `updatesPrefix`. */
export const isUpdateFactsObjectName = (objectName: string): boolean => objectName.endsWith(FACTS_SUFFIX);

const UPDATE_SUFFIX = '.safetensors';
const FACTS_SUFFIX = '.json';

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
): string =>
  `${roundPrefix(runId, round)}adapter/${taskId}-${ledger.slice(0, LEDGER_DIGITS)}-${attempt}-${claimId}.bin`;

const LEDGER_DIGITS = 8;
