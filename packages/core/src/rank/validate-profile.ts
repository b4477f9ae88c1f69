import {
  PROBE_MEASUREMENTS_MAX,
  PROFILE_BYTES_MAX,
  PROFILE_STEP_SECONDS_MAX,
  RANK_MAX,
  UPDATE_SAMPLES_MAX,
} from '../limits.ts';
import { type Refusal, refuse } from '../refusal.ts';
import type { ResourceProfile } from './resource-profile.ts';

/** Null, or a refusal `badProfile` that names the first field that is wrong. */
export function validateProfile(profile: ResourceProfile): Refusal | null {
  const { memoryBytesMax, uplinkBytesPerSecond, samples, measurements } = profile;
  if (!isWhole(memoryBytesMax, 1, PROFILE_BYTES_MAX)) {
    return bad('memory_bytes_max', memoryBytesMax, `a whole number from 1 to ${PROFILE_BYTES_MAX}`);
  }
  if (!isPositive(uplinkBytesPerSecond, PROFILE_BYTES_MAX)) {
    return bad('uplink_bytes_per_second', uplinkBytesPerSecond, `above 0, at most ${PROFILE_BYTES_MAX}`);
  }
  if (!isWhole(samples, 1, UPDATE_SAMPLES_MAX)) {
    return bad('samples', samples, `a whole number from 1 to ${UPDATE_SAMPLES_MAX}`);
  }
  if (measurements.length > PROBE_MEASUREMENTS_MAX) {
    return bad('measurements', `${measurements.length} entries`, `2 to ${PROBE_MEASUREMENTS_MAX}`);
  }
  for (const [i, { rank, memoryBytes, stepSeconds }] of measurements.entries()) {
    if (!isWhole(rank, 1, RANK_MAX))
      return bad(`measurements[${i}].rank`, rank, `a whole number from 1 to ${RANK_MAX}`);
    if (!isWhole(memoryBytes, 0, PROFILE_BYTES_MAX)) {
      return bad(`measurements[${i}].memory_bytes`, memoryBytes, `a whole number from 0 to ${PROFILE_BYTES_MAX}`);
    }
    if (!isPositive(stepSeconds, PROFILE_STEP_SECONDS_MAX)) {
      return bad(`measurements[${i}].step_seconds`, stepSeconds, `above 0, at most ${PROFILE_STEP_SECONDS_MAX}`);
    }
  }
  const ranks = new Set(measurements.map(({ rank }) => rank));
  if (ranks.size < 2)
    return bad('measurements', `${ranks.size} different ranks`, 'at least 2: probe at two ranks or more');
  return null;
}

const isWhole = (value: number, min: number, max: number): boolean =>
  Number.isSafeInteger(value) && value >= min && value <= max;
const isPositive = (value: number, max: number): boolean => Number.isFinite(value) && value > 0 && value <= max;

const bad = (field: string, got: number | string, allowed: string): Refusal =>
  refuse('badProfile', `profile.${field} is ${got}; allowed: ${allowed}`);
