import {
  LatePolicy,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
  UpdateFormat,
} from '@flexlora/contracts/run/v1/run_spec';
import { Fault } from '@flexlora/core';
import { z } from 'zod';

/**
 * A run's specification as a JSON file: the document that the platform itself keeps in the object store (`runs/<run>/spec.json`), where what
 * has a usual value may be left out. Numbers are held against their bounds by the server, which knows them.
 */
export type SpecDocument = z.infer<typeof specDocument>;

const POLICIES = {
  'deadline-fit': RankPolicy.DEADLINE_FIT,
  'memory-fit': RankPolicy.MEMORY_FIT,
  uniform: RankPolicy.UNIFORM,
} as const;
const SCALINGS = {
  alphaOverRank: Scaling.ALPHA_OVER_RANK,
  alphaOverSqrtRank: Scaling.ALPHA_OVER_SQRT_RANK,
  constant: Scaling.CONSTANT,
} as const;
const STRATEGIES = {
  flexlora: Strategy.FLEXLORA,
  'flexlora-residual': Strategy.FLEXLORA_RESIDUAL,
  fedavg: Strategy.FEDAVG,
  hetlora: Strategy.HETLORA,
} as const;
const SPLITS = { b: SvdSplit.B, a: SvdSplit.A, even: SvdSplit.EVEN } as const;
/** Names of update formats in documents and on command lines. */
export const FORMATS = {
  'as-trained': UpdateFormat.AS_TRAINED,
  f32: UpdateFormat.F32,
  bf16: UpdateFormat.BF16,
  f16: UpdateFormat.F16,
  int8: UpdateFormat.INT8,
} as const;
const LATE = { refuse: LatePolicy.REFUSE, carry: LatePolicy.CARRY } as const;

/** 4 bytes: what a field of the contract carries. */
const WHOLE_MAX = 2 ** 32 - 1;
const whole = z.int({ error: 'a whole number' }).min(0, `0 to ${WHOLE_MAX}`).max(WHOLE_MAX, `0 to ${WHOLE_MAX}`);
const number = z.number({ error: 'a number' });
const text = z.string({ error: 'a text' });
const word = <Name extends string>(names: Readonly<Record<Name, number>>) => {
  const allowed = Object.keys(names) as [Name, ...Name[]];
  return z.enum(allowed, { error: allowed.map((name) => JSON.stringify(name)).join(', ') });
};
const object = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: `an object with ${Object.keys(shape).join(', ')}` });

const moduleDocument = object({ name: text, out: whole, in: whole, rankGroup: text });
const specDocument = object({
  runId: text,
  baseModel: object({ name: text, digest: text }),
  modules: z.array(moduleDocument, { error: 'a list of modules' }),
  rank: object({
    min: whole,
    max: whole,
    tiers: z.array(whole, { error: 'a list of ranks' }),
    policy: word(POLICIES).optional(),
  }),
  rounds: whole,
  cohort: object({
    goal: whole,
    minimum: whole,
    overSelection: number.optional(),
    late: word(LATE).optional(),
  }),
  timing: object({ collectingMs: whole, taskLeaseMs: whole, agentReadyMs: whole }),
  training: object({
    steps: whole,
    batchSize: whole,
    learningRate: number,
    alpha: number,
    scaling: word(SCALINGS).optional(),
  }),
  strategy: word(STRATEGIES).optional(),
  svdSplit: word(SPLITS).optional(),
  aggregation: object({ tolerance: number }).optional(),
  origin: object({ runId: text, round: whole, manifestDigest: text }).nullish(),
  seed: whole.optional(),
  updateFormat: word(FORMATS).optional(),
});

/** @throws {Fault} with every problem of the document, each with its field. @param of names it in messages, such as a file's path. */
export function parseSpecDocument(json: string, of: string): SpecDocument {
  return parse(specDocument, json, of);
}

/** Fields of a specification that take the place of another's. @throws {Fault} */
export function parseSpecChanges(json: string, of: string): Partial<SpecDocument> {
  return parse(specDocument.partial(), json, of) as Partial<SpecDocument>;
}

/** What is left out is sent as unspecified: the server takes it as usual. */
export const specMessageOf = (document: SpecDocument): RunSpec => ({
  runId: document.runId,
  baseModelName: document.baseModel.name,
  baseModelDigest: document.baseModel.digest,
  modules: document.modules.map((module) => ({
    name: module.name,
    outFeatures: module.out,
    inFeatures: module.in,
    rankGroup: module.rankGroup,
  })),
  rank: { ...document.rank, policy: numberOf(POLICIES, document.rank.policy) },
  rounds: document.rounds,
  cohort: {
    ...document.cohort,
    overSelection: document.cohort.overSelection ?? 0,
    late: numberOf(LATE, document.cohort.late),
  },
  timing: document.timing,
  training: { ...document.training, scaling: numberOf(SCALINGS, document.training.scaling) },
  strategy: numberOf(STRATEGIES, document.strategy),
  svdSplit: numberOf(SPLITS, document.svdSplit),
  aggregation: document.aggregation,
  origin: document.origin ?? undefined,
  seed: document.seed ?? 0,
  updateFormat: numberOf(FORMATS, document.updateFormat),
});

/** What a server told, as a document that `flexlora run create` takes. @throws {Fault} when a newer server told what this command does not know. */
export function specDocumentOf(spec: RunSpec): SpecDocument {
  const { rank, cohort, timing, training } = spec;
  if (rank === undefined || cohort === undefined || timing === undefined || training === undefined)
    throw new Fault(`the server told of run ${spec.runId} without all of its specification; update this command`);
  return {
    runId: spec.runId,
    baseModel: { name: spec.baseModelName, digest: spec.baseModelDigest },
    modules: spec.modules.map((module) => ({
      name: module.name,
      out: module.outFeatures,
      in: module.inFeatures,
      rankGroup: module.rankGroup,
    })),
    rank: { ...rank, policy: nameOf(POLICIES, rank.policy, 'rank.policy') },
    rounds: spec.rounds,
    cohort: { ...cohort, late: nameOf(LATE, cohort.late, 'cohort.late') },
    timing: { ...timing },
    training: { ...training, scaling: nameOf(SCALINGS, training.scaling, 'training.scaling') },
    strategy: nameOf(STRATEGIES, spec.strategy, 'strategy'),
    svdSplit: nameOf(SPLITS, spec.svdSplit, 'svdSplit'),
    ...(spec.aggregation !== undefined && { aggregation: { ...spec.aggregation } }),
    origin: spec.origin === undefined ? null : { ...spec.origin },
    seed: spec.seed,
    // A server of before there were formats tells none.
    ...(spec.updateFormat !== UpdateFormat.UNSPECIFIED && {
      updateFormat: nameOf(FORMATS, spec.updateFormat, 'updateFormat'),
    }),
  };
}

function parse<T>(schema: z.ZodType<T>, json: string, of: string): T {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Fault(`${of} is not JSON: ${(error as Error).message}; allowed: a run's specification`);
  }
  const parsed = schema.safeParse(value, { reportInput: true });
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `  - ${problemOf(issue)}`);
  throw new Fault(`${of} is no specification of a run:\n${problems.join('\n')}`);
}

function problemOf(issue: z.core.$ZodIssue): string {
  const field = issue.path.length === 0 ? 'the document' : issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys')
    return `${field} has ${issue.keys.map((key) => JSON.stringify(key)).join(', ')}; allowed: ${issue.message}`;
  const got = issue.input === undefined ? 'is missing' : `is ${JSON.stringify(issue.input).slice(0, SHOWN_CHARS)}`;
  return `${field} ${got}; allowed: ${issue.message}`;
}

const SHOWN_CHARS = 80;

const numberOf = <Name extends string, Value extends number>(
  names: Readonly<Record<Name, Value>>,
  name: Name | undefined,
): Value | 0 => (name === undefined ? 0 : names[name]);

function nameOf<Name extends string>(names: Readonly<Record<Name, number>>, value: number, field: string): Name {
  const found = (Object.keys(names) as Name[]).find((name) => names[name] === value);
  if (found !== undefined) return found;
  throw new Fault(
    `the server told ${field} ${value}; known here: ${Object.keys(names).join(', ')}: update this command`,
  );
}
