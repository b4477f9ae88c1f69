import type { ScalingKind } from '@flexlora/core/peft';
import { BATCH_SIZE_MAX, PROBE_RANKS_MAX, RANK_MAX, STEPS_MAX } from './limits.ts';
import type { EvaluateRequest, ProbeRequest, TrainRequest } from './trainer.ts';
import { TrainerError } from './trainer-error.ts';

/** A request as it came: in process a caller's object, over the protocol whatever stood in the line. Fields are in camel case. */
export type UncheckedFields = Readonly<Record<string, unknown>>;

const SCALINGS: readonly ScalingKind[] = ['alphaOverRank', 'alphaOverSqrtRank', 'constant'];

export function checkTrainRequest(fields: UncheckedFields): TrainRequest {
  return {
    adapterIn: text(fields, 'adapterIn'),
    adapterOut: text(fields, 'adapterOut'),
    ranks: ranksByModule(fields),
    alpha: positive(fields, 'alpha'),
    scaling: oneOf(fields, 'scaling', SCALINGS),
    steps: integer(fields, 'steps', 1, STEPS_MAX),
    batchSize: integer(fields, 'batchSize', 1, BATCH_SIZE_MAX),
    learningRate: positive(fields, 'learningRate'),
    seed: integer(fields, 'seed', 0, Number.MAX_SAFE_INTEGER),
    data: fields['data'],
  };
}

export function checkEvaluateRequest(fields: UncheckedFields): EvaluateRequest {
  return { adapterIn: fields['adapterIn'] === null ? null : text(fields, 'adapterIn'), data: fields['data'] };
}

export function checkProbeRequest(fields: UncheckedFields): ProbeRequest {
  const { ranks } = fields;
  if (!Array.isArray(ranks) || ranks.length < 1 || ranks.length > PROBE_RANKS_MAX || !ranks.every(isRank))
    throw refusal('ranks', ranks, `a list of 1 to ${PROBE_RANKS_MAX} ranks, each an integer from 1 to ${RANK_MAX}`);
  return { ranks };
}

function ranksByModule(fields: UncheckedFields): Readonly<Record<string, number>> {
  const { ranks } = fields;
  const entries = typeof ranks === 'object' && ranks !== null && !Array.isArray(ranks) ? Object.entries(ranks) : [];
  if (entries.length === 0 || !entries.every(([, rank]) => isRank(rank)))
    throw refusal('ranks', ranks, `an object from module name to rank, each an integer from 1 to ${RANK_MAX}`);
  return ranks as Record<string, number>;
}

function text(fields: UncheckedFields, field: string): string {
  const value = fields[field];
  if (typeof value === 'string' && value !== '') return value;
  throw refusal(field, value, 'the path of a directory');
}

function positive(fields: UncheckedFields, field: string): number {
  const value = fields[field];
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
  throw refusal(field, value, 'a positive number');
}

function integer(fields: UncheckedFields, field: string, min: number, max: number): number {
  const value = fields[field];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max) return value;
  throw refusal(field, value, `an integer from ${min} to ${max}`);
}

function oneOf<T extends string>(fields: UncheckedFields, field: string, allowed: readonly T[]): T {
  const value = fields[field];
  if (allowed.includes(value as T)) return value as T;
  throw refusal(field, value, `one of ${allowed.map(snakeCase).join(', ')}`);
}

const isRank = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= RANK_MAX;

/** Names a field as the protocol does. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function refusal(field: string, value: unknown, allowed: string): TrainerError {
  const got = value === undefined ? 'missing' : (JSON.stringify(value) ?? typeof value).slice(0, 200);
  return new TrainerError('bad_request', `${snakeCase(field)} is ${got}; needed is ${allowed}`);
}
