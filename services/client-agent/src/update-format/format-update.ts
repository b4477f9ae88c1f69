import { join } from 'node:path';
import { dtypesOf, isRefusal, type Refusal, type Sha256Hex, type UpdateEntries } from '@flexlora/core';
import type { Logger } from '@flexlora/runtime';
import { checkUpdateFile } from '../adapter/check-update-file.ts';
import type { AgentDisk } from '../disk/agent-disk.ts';
import type { Assignment, RunPlan } from '../translate.ts';
import { FEEDBACK_FILE, UPDATE_FILE, type WorkDirectory } from '../work-directory.ts';
import { openFeedback } from './feedback.ts';
import { type Conversion, narrowUpdate } from './narrow-update.ts';
import { quantiseUpdate } from './quantise-update.ts';
import { openTensorFile } from './tensor-file.ts';

export interface FormatDeps {
  readonly disk: AgentDisk;
  readonly work: Pick<WorkDirectory, 'feedbackFile'>;
  readonly logger: Logger;
}

export interface FormatRequest {
  readonly plan: RunPlan;
  readonly assignment: Assignment;
  /** The PEFT directory that the trainer made: the update in it is replaced. */
  readonly directory: string;
  readonly signal: AbortSignal;
}

export interface FormattedUpdate {
  readonly bytes: number;
  readonly sha256: Sha256Hex;
  /** ‖BA − BqAq‖ / ‖BA‖ over all modules, Frobenius, where it was quantised; else null. */
  readonly relativeError: number | null;
}

/**
 * Brings what a trainer wrote into the run's format, one module in memory at a time, and reads it once as the platform will: its size and digest, or
 * what the platform would refuse, found before a byte is sent.
 */
export async function formatUpdate(deps: FormatDeps, request: FormatRequest): Promise<FormattedUpdate | Refusal> {
  const { plan, assignment, directory } = request;
  const path = join(directory, UPDATE_FILE);
  const trained = await checkUpdateFile(deps.disk, path, plan, assignment.moduleRanks, 'as-trained');
  if (isRefusal(trained)) return trained;
  const { bytes, sha256, modules } = trained;
  if (isInFormat(modules, plan)) return { bytes, sha256, relativeError: null };
  const relativeError = await convert(deps, request, path, modules);
  if (isRefusal(relativeError)) return relativeError;
  const sent = await checkUpdateFile(deps.disk, path, plan, assignment.moduleRanks, plan.updateFormat);
  return isRefusal(sent) ? sent : { bytes: sent.bytes, sha256: sent.sha256, relativeError };
}

function isInFormat(modules: UpdateEntries, { updateFormat }: RunPlan): boolean {
  const allowed = dtypesOf(updateFormat);
  return [...modules.values()].every(({ b, a }) => allowed.includes(b.dtype) && allowed.includes(a.dtype));
}

async function convert(
  deps: FormatDeps,
  request: FormatRequest,
  path: string,
  modules: UpdateEntries,
): Promise<number | null | Refusal> {
  const { disk } = deps;
  const to = `${path}.converted`;
  const [dtype] = dtypesOf(request.plan.updateFormat);
  const trained = await openTensorFile(disk, path);
  if (trained === null || isRefusal(trained)) throw new Error(`${path} was changed after it was checked`);
  try {
    const conversion = { trained, modules, to, signal: request.signal };
    const made =
      dtype === 'I8' ? await quantise(deps, request, conversion) : await narrowUpdate(disk, conversion, dtype!);
    if (!isRefusal(made)) await disk.rename(to, path);
    return made;
  } finally {
    await trained.close();
  }
}

async function quantise(
  deps: FormatDeps,
  { plan, assignment, directory }: FormatRequest,
  conversion: Conversion,
): Promise<number | Refusal> {
  const feedback = await openFeedback(deps, deps.work.feedbackFile(), plan, assignment.round);
  const keptIn = { path: join(directory, FEEDBACK_FILE), round: assignment.round };
  try {
    return await quantiseUpdate(deps.disk, conversion, { plan, feedback, keptIn });
  } finally {
    await feedback.close();
  }
}
