import { RANK_MAX } from '../limits.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { compilePeftPatterns, matchPeftPattern, type PeftPattern } from './peft-pattern.ts';
import { scalingFactor } from './scaling-factor.ts';

/** What `adapter_config.json` says that bears on the sum. */
export interface PeftConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly rankPatterns: readonly PeftPattern[];
  readonly alphaPatterns: readonly PeftPattern[];
  /** α / √r (`use_rslora`) or α / r. */
  readonly scaling: 'alphaOverRank' | 'alphaOverSqrtRank';
  /** Endings of module names, or one regular expression; null where PEFT chose by architecture. */
  readonly targetModules: readonly string[] | string | null;
  /** The base layer stores its weight transposed (GPT-2's Conv1D). The factors are out × r and r × in all the same. */
  readonly fanInFanOut: boolean;
  readonly baseModel: string | null;
  readonly taskType: string | null;
}

/** The fields that are read; every other one is passed over. */
interface PeftConfigJson {
  readonly peft_type?: unknown;
  readonly r?: unknown;
  readonly lora_alpha?: unknown;
  readonly rank_pattern?: unknown;
  readonly alpha_pattern?: unknown;
  readonly use_rslora?: unknown;
  readonly target_modules?: unknown;
  readonly fan_in_fan_out?: unknown;
  readonly bias?: unknown;
  readonly init_lora_weights?: unknown;
  readonly base_model_name_or_path?: unknown;
  readonly task_type?: unknown;
  readonly [field: string]: unknown;
}

/** Fields that would add something to the model that the sum of s·B·A does not have. Absent, null, false and empty are all "off". */
const MUST_BE_OFF: Readonly<Record<string, string>> = {
  use_dora: 'DoRA has no exact sum; train with use_dora=False',
  lora_bias: 'train with lora_bias=False',
  modules_to_save: 'train without modules_to_save',
  target_parameters: 'train linear modules alone, by target_modules',
  trainable_token_indices: 'train without trainable_token_indices',
  layer_replication: 'train without layer_replication',
  alora_invocation_tokens: 'an activated LoRA is no plain difference of weights; train without it',
  arrow_config: 'a router is no plain difference of weights; train without it',
  kasa_config: 'it changes the base weights; train without it',
  use_qalora: 'train with use_qalora=False',
  use_bdlora: 'train without use_bdlora',
};

/** Initialisations that also change the base weights, so that s·B·A is not the difference from the base. */
const BASE_CHANGING = /^(pissa|olora|corda|loftq|lora_ga)/i;

export function parsePeftConfig(text: string): PeftConfig | Refusal {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return refuse('badFile', `adapter_config.json is not JSON (${(error as Error).message}): save the adapter again`);
  }
  if (!isObject(json)) return refuse('badFile', 'adapter_config.json is not an object: save the adapter again');
  return checkKind(json) ?? readConfig(json);
}

function checkKind(json: PeftConfigJson): Refusal | null {
  const type = json.peft_type;
  if (type !== 'LORA') return bad('peft_type', type, '"LORA"', 'train a LoRA adapter');
  for (const [field, advice] of Object.entries(MUST_BE_OFF)) {
    if (!isOff(json[field])) return bad(field, json[field], 'off', advice);
  }
  const bias = json.bias ?? 'none';
  if (bias !== 'none') return bad('bias', bias, '"none"', 'train with bias="none"');
  const init = json.init_lora_weights;
  if (typeof init === 'string' && BASE_CHANGING.test(init)) {
    const advice = 'it changes the base weights; save with path_initial_model_for_weight_conversion';
    return bad('init_lora_weights', init, 'one that leaves the base as it is', advice);
  }
  return null;
}

function readConfig(json: PeftConfigJson): PeftConfig | Refusal {
  for (const field of ['use_rslora', 'fan_in_fan_out'] as const) {
    if (typeof (json[field] ?? false) === 'boolean') continue;
    return bad(field, json[field], 'true, false, null or absent', 'save the adapter again');
  }
  const rank = json.r;
  if (!isRank(rank)) return bad('r', rank, `an integer from 1 to ${RANK_MAX}`, 'save the adapter again');
  const alpha = json.lora_alpha;
  if (!isAlpha(alpha)) return bad('lora_alpha', alpha, 'a number above 0', 'save the adapter again');
  const rankPatterns = readPatterns(json, 'rank_pattern', isRank, `integers from 1 to ${RANK_MAX}`);
  if (isRefusal(rankPatterns)) return rankPatterns;
  const alphaPatterns = readPatterns(json, 'alpha_pattern', isAlpha, 'numbers above 0');
  if (isRefusal(alphaPatterns)) return alphaPatterns;
  const targets = json.target_modules ?? null;
  if (targets !== null && typeof targets !== 'string' && !isStrings(targets)) {
    return bad('target_modules', targets, 'a list of names or one regular expression', 'save the adapter again');
  }
  const base = json.base_model_name_or_path;
  const task = json.task_type;
  return {
    rank,
    alpha,
    rankPatterns,
    alphaPatterns,
    scaling: json.use_rslora === true ? 'alphaOverSqrtRank' : 'alphaOverRank',
    targetModules: targets,
    fanInFanOut: json.fan_in_fan_out === true,
    baseModel: typeof base === 'string' ? base : null,
    taskType: typeof task === 'string' ? task : null,
  };
}

function readPatterns(
  json: PeftConfigJson,
  field: 'rank_pattern' | 'alpha_pattern',
  isValue: (value: unknown) => value is number,
  allowed: string,
): readonly PeftPattern[] | Refusal {
  const value = json[field] ?? {};
  if (!isObject(value)) return bad(field, value, 'an object', 'save the adapter again');
  for (const [key, item] of Object.entries(value)) {
    if (!isValue(item))
      return bad(`${field}[${JSON.stringify(key.slice(0, 80))}]`, item, allowed, 'save the adapter again');
  }
  return compilePeftPatterns(field, value as Readonly<Record<string, number>>);
}

/** The rank that the configuration gives this module. */
export function peftModuleRank(config: PeftConfig, module: string): number {
  return matchPeftPattern(config.rankPatterns, module) ?? config.rank;
}

export function peftModuleAlpha(config: PeftConfig, module: string): number {
  return matchPeftPattern(config.alphaPatterns, module) ?? config.alpha;
}

/** `s` of `s·B·A` in this module. */
export function peftModuleScaling(config: PeftConfig, module: string): number {
  return scalingFactor(config.scaling, peftModuleAlpha(config, module), peftModuleRank(config, module));
}

function bad(field: string, got: unknown, allowed: string, advice: string): Refusal {
  const shown = got === undefined ? 'missing' : (JSON.stringify(got) ?? String(got)).slice(0, 80);
  return refuse('badSpec', `${field} of adapter_config.json is ${shown}; allowed: ${allowed}: ${advice}`);
}

const isOff = (value: unknown): boolean =>
  value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);

const isRank = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= RANK_MAX;

const isAlpha = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value > 0;

const isStrings = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((item) => typeof item === 'string');

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
