import { ALPHA_MAX, UPDATE_SAMPLES_MAX } from '../limits.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { Assignment, StoredUpdate } from './round-state.ts';

/** Bytes were verified by the door; here stand the facts that the sum depends on. */
export function checkUpdate(update: StoredUpdate, assigned: Assignment['ranks']): Refusal | null {
  const groups = new Set([...Object.keys(assigned), ...Object.keys(update.ranks)]);
  for (const group of groups) {
    const got = update.ranks[group];
    const allowed = assigned[group];
    if (got !== allowed) {
      return refuse(
        'rankOutOfRange',
        `rank of ${group} is ${got ?? 'missing'}; the assignment allows ${allowed ?? 'no such group'}: train at the assigned rank`,
      );
    }
  }
  if (!(Number.isInteger(update.samples) && update.samples >= 1 && update.samples <= UPDATE_SAMPLES_MAX)) {
    return badNumber('samples', update.samples, `a whole number from 1 to ${UPDATE_SAMPLES_MAX}`);
  }
  if (!(Number.isSafeInteger(update.bytes) && update.bytes >= 1))
    return badNumber('bytes', update.bytes, 'a whole number above 0');
  if (!(update.alpha > 0 && update.alpha <= ALPHA_MAX))
    return badNumber('alpha', update.alpha, `above 0, at most ${ALPHA_MAX}`);
  if (update.loss !== null && !Number.isFinite(update.loss))
    return badNumber('loss', update.loss, 'a finite number, or none');
  return null;
}

const badNumber = (field: string, got: number, allowed: string): Refusal =>
  refuse('badNumber', `${field} of the update is ${got}; allowed: ${allowed}`);
