import { seededHash } from '@flexlora/core';
import { COLLECTING_TRACE_MS, TRAINING_STEPS } from './limits.ts';

/** One device as it really is; seconds are those of the traces. */
export interface Device {
  readonly agentId: string;
  readonly memoryBytesMax: number;
  readonly uplinkBytesPerSecond: number;
  /** Of one optimiser step at rank 0; every rank adds a fiftieth. */
  readonly stepSeconds: number;
  readonly samples: number;
}

/**
 * What becomes of one assignment.
 *
 * `vanishes`: the device goes away in the middle of training and says nothing. `fails`: its training fails and it says so. `killed`: it
 * loses its process and its connection while it sends, and comes back. `tooLate`: it takes longer than the round.
 */
export type Fate = 'completes' | 'vanishes' | 'fails' | 'killed' | 'tooLate';

/** The simulated world: the same for the same seed, whatever is asked first. */
export interface Traces {
  device(index: number): Device;
  fate(index: number, round: number): Fate;
  /** Seconds that training takes at this rank. */
  trainingSeconds(index: number, round: number, rank: number): number;
  /** How far training gets before its end where it does not complete, 0 to 1. */
  shareDone(index: number, round: number): number;
  /** How long the device is there in its nth stay, and then away, in seconds. */
  stay(index: number, nth: number): { readonly presentSeconds: number; readonly awaySeconds: number };
  /** Seconds until a device whose process was killed is back. */
  restartSeconds(index: number, round: number): number;
}

const GB = 1e9;
/** Accelerators in use, and how many of a hundred devices have them. */
const MEMORY_CLASSES: readonly (readonly [bytes: number, share: number])[] = [
  [8 * GB, 30],
  [16 * GB, 30],
  [24 * GB, 20],
  [48 * GB, 15],
  [80 * GB, 5],
];
/** Lines out of offices and homes, in Mbit/s. */
const UPLINK_CLASSES: readonly (readonly [mbits: number, share: number])[] = [
  [1, 5],
  [10, 30],
  [50, 30],
  [100, 20],
  [1_000, 15],
];
/** The base model with its activations, and what every rank adds to it. */
const MODEL_BYTES = 5 * GB;
const RANK_BYTES = 0.5 * GB;
const STEP_SECONDS_MEDIAN = 2;
/** Devices differ: one in twenty is four times as slow as the median. */
const STEP_SIGMA = 0.8;
/** Beyond two sigma a device could not carry the smallest rank in time, and would not be asked. */
const STEP_Z_MAX = 2;
const RANK_STEP_SHARE = 0.02;
const PRESENT_SECONDS_MEAN = 4 * 3_600;
const AWAY_SECONDS_MEAN = 1_200;
const RESTART_SECONDS: readonly [number, number] = [30, 120];
/** How much longer than the round a device takes that is too late. */
const TOO_LATE: readonly [number, number] = [1.05, 1.5];

const FATES: readonly (readonly [fate: Fate, perMille: number])[] = [
  ['vanishes', 25],
  ['fails', 25],
  ['killed', 30],
  ['tooLate', 100],
];

/** What a trainer's probe measures on every device. */
export const memoryBytesAt = (rank: number): number => MODEL_BYTES + RANK_BYTES * rank;
export const stepSecondsAt = (device: Device, rank: number): number =>
  device.stepSeconds * (1 + RANK_STEP_SHARE * rank);

export function createTraces(seed: number): Traces {
  const draw = (...of: readonly (string | number)[]): number => seededHash('trace', seed, ...of) / 2 ** 32;
  const between = ([least, most]: readonly [number, number], ...of: readonly (string | number)[]): number =>
    least + (most - least) * draw(...of);
  const exponential = (mean: number, ...of: readonly (string | number)[]): number => -mean * Math.log(1 - draw(...of));
  const normal = (...of: readonly (string | number)[]): number =>
    Math.sqrt(-2 * Math.log(1 - draw('u', ...of))) * Math.cos(2 * Math.PI * draw('v', ...of));

  const device = (index: number): Device => {
    const z = Math.max(-STEP_Z_MAX, Math.min(STEP_Z_MAX, normal('step', index)));
    return {
      agentId: `virtual-${String(index).padStart(6, '0')}`,
      memoryBytesMax: pick(MEMORY_CLASSES, draw('memory', index)),
      uplinkBytesPerSecond: (pick(UPLINK_CLASSES, draw('uplink', index)) * 1e6) / 8,
      stepSeconds: STEP_SECONDS_MEDIAN * Math.exp(STEP_SIGMA * z),
      samples: 100 + Math.floor(900 * draw('samples', index)),
    };
  };
  const fate = (index: number, round: number): Fate => {
    let at = draw('fate', index, round) * 1_000;
    for (const [name, perMille] of FATES) {
      if (at < perMille) return name;
      at -= perMille;
    }
    return 'completes';
  };
  return {
    device,
    fate,
    trainingSeconds: (index, round, rank) =>
      fate(index, round) === 'tooLate'
        ? (COLLECTING_TRACE_MS / 1_000) * between(TOO_LATE, 'late', index, round)
        : TRAINING_STEPS * stepSecondsAt(device(index), rank),
    shareDone: (index, round) => draw('share', index, round),
    stay: (index, nth) => ({
      presentSeconds: exponential(PRESENT_SECONDS_MEAN, 'present', index, nth),
      awaySeconds: exponential(AWAY_SECONDS_MEAN, 'away', index, nth),
    }),
    restartSeconds: (index, round) => between(RESTART_SECONDS, 'restart', index, round),
  };
}

/** Shares are of a hundred. */
function pick<T>(classes: readonly (readonly [T, number])[], uniform: number): T {
  let at = uniform * 100;
  for (const [value, share] of classes) {
    if (at < share) return value;
    at -= share;
  }
  return classes.at(-1)![0];
}
