import type {
  ModuleSpec as ModuleSpecMessage,
  RunOrigin as RunOriginMessage,
  RunSpec as RunSpecMessage,
} from '@flexlora/contracts/run/v1/run_spec';
import {
  isRefusal,
  type ModuleSpec,
  parseModuleName,
  parseRunId,
  parseSha256,
  type Refusal,
  RUN_MODULES_MAX,
  type RunOrigin,
  type RunSpec,
  refuse,
  TOLERANCE_STANDARD,
  updateFormatOf,
  validateRunSpec,
} from '@flexlora/core';
import { latePolicies, rankPolicies, scalings, strategies, svdSplits, updateFormats } from './enum-names.ts';

/** Agents that are asked for each update that is wanted: some decline, fail, or come late. */
const OVER_SELECTION_STANDARD = 1.3;

/** A run's specification from a message, whole and valid, or the first thing that is wrong with it. */
export function runSpecFromMessage(message: RunSpecMessage | undefined): RunSpec | Refusal {
  if (message === undefined) return missing('spec');
  const { rank, cohort, timing, training } = message;
  if (rank === undefined) return missing('spec.rank');
  if (cohort === undefined) return missing('spec.cohort');
  if (timing === undefined) return missing('spec.timing');
  if (training === undefined) return missing('spec.training');
  const runId = parseRunId(message.runId);
  if (isRefusal(runId)) return runId;
  const digest = parseSha256('base_model_digest', message.baseModelDigest);
  if (isRefusal(digest)) return digest;
  const modules = modulesFromMessage(message.modules);
  if (isRefusal(modules)) return modules;
  const policy = rankPolicies.fromMessage(rank.policy);
  if (isRefusal(policy)) return policy;
  const scaling = scalings.fromMessage(training.scaling);
  if (isRefusal(scaling)) return scaling;
  const strategy = strategies.fromMessage(message.strategy);
  if (isRefusal(strategy)) return strategy;
  const svdSplit = svdSplits.fromMessage(message.svdSplit);
  if (isRefusal(svdSplit)) return svdSplit;
  const late = latePolicies.fromMessage(cohort.late);
  if (isRefusal(late)) return late;
  const origin = originFromMessage(message.origin);
  if (isRefusal(origin)) return origin;
  const updateFormat = updateFormats.fromMessage(message.updateFormat);
  if (isRefusal(updateFormat)) return updateFormat;

  const spec: RunSpec = {
    runId,
    baseModel: { name: message.baseModelName, digest },
    modules,
    rank: { min: rank.min, max: rank.max, tiers: rank.tiers, policy },
    rounds: message.rounds,
    cohort: {
      goal: cohort.goal,
      minimum: cohort.minimum,
      overSelection: cohort.overSelection || OVER_SELECTION_STANDARD,
      late,
    },
    timing: {
      collectingMs: timing.collectingMs,
      taskLeaseMs: timing.taskLeaseMs,
      agentReadyMs: timing.agentReadyMs,
    },
    training: {
      steps: training.steps,
      batchSize: training.batchSize,
      learningRate: training.learningRate,
      alpha: training.alpha,
      scaling,
    },
    strategy,
    svdSplit,
    aggregation: { tolerance: message.aggregation?.tolerance || TOLERANCE_STANDARD },
    seed: message.seed,
    origin,
    ...(updateFormat !== 'as-trained' && { updateFormat }),
  };
  return validateRunSpec(spec) ?? spec;
}

export function runSpecMessage(spec: RunSpec): RunSpecMessage {
  return {
    runId: spec.runId,
    baseModelName: spec.baseModel.name,
    baseModelDigest: spec.baseModel.digest,
    modules: spec.modules.map(moduleSpecMessage),
    rank: {
      min: spec.rank.min,
      max: spec.rank.max,
      tiers: [...spec.rank.tiers],
      policy: rankPolicies.toMessage(spec.rank.policy),
    },
    rounds: spec.rounds,
    cohort: { ...spec.cohort, late: latePolicies.toMessage(spec.cohort.late) },
    timing: { ...spec.timing },
    training: { ...spec.training, scaling: scalings.toMessage(spec.training.scaling) },
    strategy: strategies.toMessage(spec.strategy),
    svdSplit: svdSplits.toMessage(spec.svdSplit),
    aggregation: { ...spec.aggregation },
    seed: spec.seed,
    origin: spec.origin === null ? undefined : { ...spec.origin },
    updateFormat: updateFormats.toMessage(updateFormatOf(spec)),
  };
}

export const moduleSpecMessage = (module: ModuleSpec): ModuleSpecMessage => ({
  name: module.name,
  outFeatures: module.out,
  inFeatures: module.in,
  rankGroup: module.rankGroup,
});

function originFromMessage(message: RunOriginMessage | undefined): RunOrigin | null | Refusal {
  if (message === undefined) return null;
  const runId = parseRunId(message.runId);
  if (isRefusal(runId)) return runId;
  const manifestDigest = parseSha256('origin.manifest_digest', message.manifestDigest);
  return isRefusal(manifestDigest) ? manifestDigest : { runId, round: message.round, manifestDigest };
}

function modulesFromMessage(messages: readonly ModuleSpecMessage[]): readonly ModuleSpec[] | Refusal {
  if (messages.length > RUN_MODULES_MAX) {
    return refuse('badSpec', `spec.modules has ${messages.length} entries; allowed: 1 to ${RUN_MODULES_MAX}`);
  }
  const modules: ModuleSpec[] = [];
  for (const message of messages) {
    const name = parseModuleName(message.name);
    if (isRefusal(name)) return name;
    modules.push({ name, out: message.outFeatures, in: message.inFeatures, rankGroup: message.rankGroup });
  }
  return modules;
}

const missing = (field: string): Refusal =>
  refuse('badSpec', `${field} is not set; allowed: a message with all its fields`);
