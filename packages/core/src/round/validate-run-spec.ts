import { peftTensorName, SCALES_SUFFIX } from '../adapter/peft-names.ts';
import { encodeSafetensorsHeader } from '../adapter/safetensors-encode.ts';
import { UPDATE_FORMATS } from '../adapter/update-format.ts';
import { parseModuleName, parseRunId, parseSha256 } from '../ids.ts';
import {
  ALPHA_MAX,
  BASE_MODEL_NAME_CHARS_MAX,
  BATCH_SIZE_MAX,
  COHORT_AGENTS_MAX,
  COLLECTING_MS_MAX,
  DURATION_MS_MIN,
  LEARNING_RATE_MAX,
  LEASE_MS_MAX,
  MODULE_SIDE_MAX,
  OVER_SELECTION_MAX,
  RANK_GROUP_CHARS_MAX,
  RANK_GROUPS_MAX,
  RANK_MAX,
  ROLLBACKS_MAX,
  RUN_MODULES_MAX,
  RUN_ROUNDS_MAX,
  SAFETENSORS_HEADER_BYTES_MAX,
  SEED_MAX,
  TOLERANCE_MAX,
  TOLERANCE_MIN,
  TRAINING_STEPS_MAX,
} from '../limits.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import {
  type LatePolicy,
  type RankPolicy,
  type RunSpec,
  type ScalingKind,
  type StrategyName,
  type SvdSplit,
  updateFormatOf,
} from './run-spec.ts';

const POLICIES = ['deadline-fit', 'memory-fit', 'uniform'] as const satisfies readonly RankPolicy[];
const SCALINGS = ['alphaOverRank', 'alphaOverSqrtRank', 'constant'] as const satisfies readonly ScalingKind[];
const STRATEGIES = ['flexlora', 'flexlora-residual', 'fedavg', 'hetlora'] as const satisfies readonly StrategyName[];
const LATE_POLICIES = ['refuse', 'carry'] as const satisfies readonly LatePolicy[];
const SPLITS = ['b', 'a', 'even'] as const satisfies readonly SvdSplit[];
const RANK_GROUP_PATTERN = new RegExp(`^[a-z0-9](?:[a-z0-9_-]{0,${RANK_GROUP_CHARS_MAX - 2}}[a-z0-9])?$`);
const RANK_GROUP_RULE = `1 to ${RANK_GROUP_CHARS_MAX} of a-z, 0-9, "_", "-", beginning and ending with a letter or digit`;

/** Null, or a refusal `badSpec` that names the first field that is wrong, what was got and what is allowed. */
export const validateRunSpec = (spec: RunSpec): Refusal | null =>
  validateNames(spec) ??
  validateModules(spec) ??
  validateRanks(spec) ??
  validateCohort(spec) ??
  validateTiming(spec) ??
  validateTraining(spec) ??
  whole('seed', spec.seed, 0, SEED_MAX) ??
  oneOf('strategy', spec.strategy, STRATEGIES) ??
  oneOf('svd_split', spec.svdSplit, SPLITS) ??
  oneOf('update_format', updateFormatOf(spec), UPDATE_FORMATS) ??
  validateHeader(spec) ??
  within('aggregation.tolerance', spec.aggregation.tolerance, TOLERANCE_MIN, TOLERANCE_MAX) ??
  validateStrategy(spec) ??
  validateOrigin(spec);

/** Of an int8 update, whose factors have their scales beside them, and of what an agent keeps of it: what was meant, half as many tensors again. */
function validateHeader(spec: RunSpec): Refusal | null {
  if (updateFormatOf(spec) !== 'int8') return null;
  const tensors = spec.modules.flatMap((module) => {
    const rank = Math.min(spec.rank.max, module.out, module.in);
    return (['a', 'b'] as const).flatMap((side) => {
      const name = peftTensorName(module.name, side);
      const shape = side === 'a' ? [rank, module.in] : [module.out, rank];
      const numbers = { name, dtype: 'I8', shape } as const;
      const scales = { name: name + SCALES_SUFFIX, dtype: 'F32', shape: [shape[0]!] } as const;
      return [numbers, scales, { ...scales, name: `${name}.meant`, shape }];
    });
  });
  const { header } = encodeSafetensorsHeader(tensors);
  if (header.dataAt <= SAFETENSORS_HEADER_BYTES_MAX) return null;
  return bad(
    'update_format',
    `int8 with ${spec.modules.length} modules, whose names and shapes make ${header.dataAt} bytes of header`,
    `int8 up to ${SAFETENSORS_HEADER_BYTES_MAX} bytes: take bf16, or fewer modules`,
  );
}

/** Agents that a round is started with: `⌈goal × overSelection⌉`. */
export const cohortSize = ({ cohort }: RunSpec): number => Math.ceil(cohort.goal * cohort.overSelection);

function validateNames({ runId, baseModel }: RunSpec): Refusal | null {
  const id = parseRunId(runId);
  if (isRefusal(id)) return refuse('badSpec', id.message);
  if (baseModel.name.length < 1 || baseModel.name.length > BASE_MODEL_NAME_CHARS_MAX) {
    return bad(
      'base_model.name',
      `${baseModel.name.length} characters long`,
      `1 to ${BASE_MODEL_NAME_CHARS_MAX} characters`,
    );
  }
  const digest = parseSha256('base_model.digest', baseModel.digest);
  return isRefusal(digest) ? refuse('badSpec', digest.message) : null;
}

function validateModules({ modules }: RunSpec): Refusal | null {
  if (modules.length < 1 || modules.length > RUN_MODULES_MAX) {
    return bad('modules', `a list of ${modules.length}`, `1 to ${RUN_MODULES_MAX} modules`);
  }
  const names = new Set<string>();
  const groups = new Set<string>();
  for (const [i, module] of modules.entries()) {
    const name = parseModuleName(module.name);
    if (isRefusal(name)) return refuse('badSpec', `modules[${i}]: ${name.message}`);
    if (names.has(name)) return bad(`modules[${i}].name`, `${name} again`, 'each name once');
    names.add(name);
    const side =
      whole(`modules[${i}].out_features`, module.out, 1, MODULE_SIDE_MAX) ??
      whole(`modules[${i}].in_features`, module.in, 1, MODULE_SIDE_MAX);
    if (side !== null) return side;
    if (!RANK_GROUP_PATTERN.test(module.rankGroup)) {
      return bad(`modules[${i}].rank_group`, JSON.stringify(module.rankGroup.slice(0, 80)), RANK_GROUP_RULE);
    }
    groups.add(module.rankGroup);
  }
  if (groups.size > RANK_GROUPS_MAX)
    return bad('modules', `${groups.size} rank groups`, `1 to ${RANK_GROUPS_MAX} rank groups`);
  return null;
}

function validateRanks({ rank }: RunSpec): Refusal | null {
  const bounds =
    whole('rank.max', rank.max, 1, RANK_MAX) ??
    whole('rank.min', rank.min, 1, rank.max) ??
    oneOf('rank.policy', rank.policy, POLICIES);
  if (bounds !== null) return bounds;
  if (rank.tiers.length < 1)
    return bad('rank.tiers', 'an empty list', `at least one rank from ${rank.min} to ${rank.max}`);
  for (const [i, tier] of rank.tiers.entries()) {
    const above = i === 0 ? rank.min : rank.tiers[i - 1]! + 1;
    const wrong = whole(`rank.tiers[${i}]`, tier, above, rank.max);
    if (wrong !== null) return wrong;
  }
  return null;
}

function validateCohort(spec: RunSpec): Refusal | null {
  const { goal, minimum, overSelection, late } = spec.cohort;
  const wrong =
    whole('rounds', spec.rounds, 1, RUN_ROUNDS_MAX) ??
    whole('cohort.goal', goal, 1, COHORT_AGENTS_MAX) ??
    whole('cohort.minimum', minimum, 1, goal) ??
    within('cohort.over_selection', overSelection, 1, OVER_SELECTION_MAX) ??
    oneOf('cohort.late', late, LATE_POLICIES);
  if (wrong !== null) return wrong;
  if (cohortSize(spec) <= COHORT_AGENTS_MAX) return null;
  return bad(
    'cohort.over_selection',
    `${overSelection}, which makes a cohort of ${cohortSize(spec)}`,
    `a cohort of at most ${COHORT_AGENTS_MAX}: lower it or the goal of ${goal}`,
  );
}

const validateTiming = ({ timing }: RunSpec): Refusal | null =>
  whole('timing.collecting_ms', timing.collectingMs, DURATION_MS_MIN, COLLECTING_MS_MAX) ??
  whole('timing.task_lease_ms', timing.taskLeaseMs, DURATION_MS_MIN, LEASE_MS_MAX) ??
  whole('timing.agent_ready_ms', timing.agentReadyMs, DURATION_MS_MIN, LEASE_MS_MAX);

const validateTraining = ({ training }: RunSpec): Refusal | null =>
  whole('training.steps', training.steps, 1, TRAINING_STEPS_MAX) ??
  whole('training.batch_size', training.batchSize, 1, BATCH_SIZE_MAX) ??
  positive('training.learning_rate', training.learningRate, LEARNING_RATE_MAX) ??
  positive('training.alpha', training.alpha, ALPHA_MAX) ??
  oneOf('training.scaling', training.scaling, SCALINGS);

/** The baseline that averages A and B apart adds matrices of one shape. */
function validateStrategy({ strategy, rank }: RunSpec): Refusal | null {
  if (strategy !== 'fedavg' || rank.policy === 'uniform' || rank.tiers.length === 1) return null;
  return bad(
    'strategy',
    `fedavg with ${rank.tiers.length} tiers and policy ${rank.policy}`,
    'fedavg with equal ranks: policy uniform or a single tier; or hetlora or flexlora for unequal ones',
  );
}

function validateOrigin({ runId, origin }: RunSpec): Refusal | null {
  if (origin === null) return null;
  const id = parseRunId(origin.runId);
  if (isRefusal(id)) return refuse('badSpec', `origin.${id.message}`);
  if (origin.runId === runId)
    return bad('origin.run_id', runId, 'another run: roll this one back to go on from one of its own rounds');
  const digest = parseSha256('origin.manifest_digest', origin.manifestDigest);
  if (isRefusal(digest)) return refuse('badSpec', digest.message);
  return whole('origin.round', origin.round, 0, RUN_ROUNDS_MAX + ROLLBACKS_MAX);
}

const bad = (field: string, got: string | number, allowed: string): Refusal =>
  refuse('badSpec', `${field} is ${got}; allowed: ${allowed}`);

const whole = (field: string, value: number, min: number, max: number): Refusal | null =>
  Number.isInteger(value) && value >= min && value <= max
    ? null
    : bad(field, value, `a whole number from ${min} to ${max}`);

const within = (field: string, value: number, min: number, max: number): Refusal | null =>
  value >= min && value <= max ? null : bad(field, value, `a number from ${min} to ${max}`);

const positive = (field: string, value: number, max: number): Refusal | null =>
  value > 0 && value <= max ? null : bad(field, value, `a number above 0, at most ${max}`);

const oneOf = (field: string, value: string, allowed: readonly string[]): Refusal | null =>
  allowed.includes(value) ? null : bad(field, JSON.stringify(value), allowed.join(', '));
