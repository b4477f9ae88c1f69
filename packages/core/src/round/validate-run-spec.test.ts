import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModuleName, RunId, Sha256Hex } from '../ids.ts';
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
  SEED_MAX,
  TOLERANCE_MAX,
  TOLERANCE_MIN,
  TRAINING_STEPS_MAX,
} from '../limits.ts';
import { exampleDigest, exampleSpec } from './example-run.ts';
import type { ModuleSpec, RunSpec } from './run-spec.ts';
import { cohortSize, validateRunSpec } from './validate-run-spec.ts';

type Change = (spec: RunSpec) => RunSpec;
const rank =
  (change: Partial<RunSpec['rank']>): Change =>
  (spec) => ({ ...spec, rank: { ...spec.rank, ...change } });
const cohort =
  (change: Partial<RunSpec['cohort']>): Change =>
  (spec) => ({ ...spec, cohort: { ...spec.cohort, ...change } });
const timing =
  (change: Partial<RunSpec['timing']>): Change =>
  (spec) => ({ ...spec, timing: { ...spec.timing, ...change } });
const training =
  (change: Partial<RunSpec['training']>): Change =>
  (spec) => ({ ...spec, training: { ...spec.training, ...change } });
const modules =
  (list: readonly ModuleSpec[]): Change =>
  (spec) => ({ ...spec, modules: list });
const tolerance =
  (value: number): Change =>
  (spec) => ({ ...spec, aggregation: { tolerance: value } });
const module0 = (change: Partial<ModuleSpec>): Change => modules([{ ...exampleSpec.modules[0]!, ...change }]);
const many = (count: number, groupOf: (i: number) => string = () => 'all'): readonly ModuleSpec[] =>
  Array.from({ length: count }, (_, i) => ({ name: `m.n${i}` as ModuleName, out: 8, in: 8, rankGroup: groupOf(i) }));
const name =
  (text: string): Change =>
  (spec) => ({ ...spec, baseModel: { ...spec.baseModel, name: text } });

const origin =
  (change: Partial<NonNullable<RunSpec['origin']>>): Change =>
  (spec) => ({ ...spec, origin: { runId: 'older' as RunId, round: 3, manifestDigest: exampleDigest('m'), ...change } });

/** The bound, and one past it with the field that the refusal names. */
const BOUNDS: readonly (readonly [field: string, bound: Change, past: Change])[] = [
  ['base_model.name', name('x'), name('')],
  ['base_model.name', name('x'.repeat(BASE_MODEL_NAME_CHARS_MAX)), name('x'.repeat(BASE_MODEL_NAME_CHARS_MAX + 1))],
  ['modules', modules(many(1)), modules([])],
  ['modules', modules(many(RUN_MODULES_MAX)), modules(many(RUN_MODULES_MAX + 1))],
  ['modules', modules(many(RANK_GROUPS_MAX, (i) => `g${i}`)), modules(many(RANK_GROUPS_MAX + 1, (i) => `g${i}`))],
  ['modules[0].out_features', module0({ out: 1 }), module0({ out: 0 })],
  ['modules[0].out_features', module0({ out: MODULE_SIDE_MAX }), module0({ out: MODULE_SIDE_MAX + 1 })],
  ['modules[0].in_features', module0({ in: MODULE_SIDE_MAX }), module0({ in: MODULE_SIDE_MAX + 1 })],
  [
    'modules[0].rank_group',
    module0({ rankGroup: 'x'.repeat(RANK_GROUP_CHARS_MAX) }),
    module0({ rankGroup: 'x'.repeat(RANK_GROUP_CHARS_MAX + 1) }),
  ],
  ['rank.max', rank({ max: RANK_MAX }), rank({ max: RANK_MAX + 1 })],
  ['rank.min', rank({ min: 1 }), rank({ min: 0 })],
  ['rank.min', rank({ min: 8, tiers: [8] }), rank({ min: 9, tiers: [8] })],
  ['rank.tiers[0]', rank({ tiers: [2] }), rank({ tiers: [1] })],
  ['rank.tiers[1]', rank({ tiers: [2, 3] }), rank({ tiers: [2, 2] })],
  ['rank.tiers[1]', rank({ tiers: [2, 8] }), rank({ tiers: [2, 9] })],
  ['rank.tiers', rank({ tiers: [8] }), rank({ tiers: [] })],
  ['aggregation.tolerance', tolerance(TOLERANCE_MIN), tolerance(1)],
  ['aggregation.tolerance', tolerance(TOLERANCE_MAX), tolerance(2.1)],
  ['aggregation.tolerance', tolerance(1.5), tolerance(Number.NaN)],
  ['rounds', (spec) => ({ ...spec, rounds: 1 }), (spec) => ({ ...spec, rounds: 0 })],
  ['rounds', (spec) => ({ ...spec, rounds: RUN_ROUNDS_MAX }), (spec) => ({ ...spec, rounds: RUN_ROUNDS_MAX + 1 })],
  ['cohort.goal', cohort({ goal: COHORT_AGENTS_MAX }), cohort({ goal: COHORT_AGENTS_MAX + 1 })],
  ['cohort.minimum', cohort({ minimum: 1 }), cohort({ minimum: 0 })],
  ['cohort.minimum', cohort({ minimum: 2 }), cohort({ minimum: 3 })],
  ['cohort.over_selection', cohort({ overSelection: 1 }), cohort({ overSelection: 0.99 })],
  [
    'cohort.over_selection',
    cohort({ overSelection: OVER_SELECTION_MAX }),
    cohort({ overSelection: OVER_SELECTION_MAX + 0.1 }),
  ],
  [
    'cohort.over_selection',
    cohort({ goal: COHORT_AGENTS_MAX / 2, overSelection: 2 }),
    cohort({ goal: COHORT_AGENTS_MAX / 2, overSelection: 2.001 }),
  ],
  ['cohort.late', cohort({ late: 'carry' }), cohort({ late: 'drop' as never })],
  ['origin.run_id', origin({}), origin({ runId: exampleSpec.runId })],
  ['origin.run_id', origin({}), origin({ runId: '../x' as RunId })],
  ['origin.round', origin({ round: 0 }), origin({ round: -1 })],
  [
    'origin.round',
    origin({ round: RUN_ROUNDS_MAX + ROLLBACKS_MAX }),
    origin({ round: RUN_ROUNDS_MAX + ROLLBACKS_MAX + 1 }),
  ],
  ['origin.manifest_digest', origin({}), origin({ manifestDigest: 'ab' as never })],
  ['timing.collecting_ms', timing({ collectingMs: DURATION_MS_MIN }), timing({ collectingMs: DURATION_MS_MIN - 1 })],
  [
    'timing.collecting_ms',
    timing({ collectingMs: COLLECTING_MS_MAX }),
    timing({ collectingMs: COLLECTING_MS_MAX + 1 }),
  ],
  ['timing.task_lease_ms', timing({ taskLeaseMs: DURATION_MS_MIN }), timing({ taskLeaseMs: DURATION_MS_MIN - 1 })],
  ['timing.task_lease_ms', timing({ taskLeaseMs: LEASE_MS_MAX }), timing({ taskLeaseMs: LEASE_MS_MAX + 1 })],
  ['timing.agent_ready_ms', timing({ agentReadyMs: DURATION_MS_MIN }), timing({ agentReadyMs: DURATION_MS_MIN - 1 })],
  ['timing.agent_ready_ms', timing({ agentReadyMs: LEASE_MS_MAX }), timing({ agentReadyMs: LEASE_MS_MAX + 1 })],
  ['training.steps', training({ steps: TRAINING_STEPS_MAX }), training({ steps: TRAINING_STEPS_MAX + 1 })],
  ['training.steps', training({ steps: 1 }), training({ steps: 0 })],
  ['training.batch_size', training({ batchSize: BATCH_SIZE_MAX }), training({ batchSize: BATCH_SIZE_MAX + 1 })],
  [
    'training.learning_rate',
    training({ learningRate: LEARNING_RATE_MAX }),
    training({ learningRate: LEARNING_RATE_MAX * 1.001 }),
  ],
  ['training.learning_rate', training({ learningRate: Number.MIN_VALUE }), training({ learningRate: 0 })],
  ['training.alpha', training({ alpha: ALPHA_MAX }), training({ alpha: ALPHA_MAX + 1 })],
  ['training.alpha', training({ alpha: 0.5 }), training({ alpha: 0 })],
  ['seed', (spec) => ({ ...spec, seed: SEED_MAX }), (spec) => ({ ...spec, seed: SEED_MAX + 1 })],
  ['seed', (spec) => ({ ...spec, seed: 0 }), (spec) => ({ ...spec, seed: -1 })],
];

for (const [field, bound, past] of BOUNDS) {
  test(`${field}: the bound is taken, one past it is refused`, () => {
    assert.equal(validateRunSpec(bound(exampleSpec)), null);
    const refusal = validateRunSpec(past(exampleSpec));
    assert.equal(refusal?.reason, 'badSpec');
    assert.ok(refusal.message.startsWith(`${field} is `) && refusal.message.includes('allowed: '), refusal.message);
  });
}

const WRONG: readonly (readonly [what: string, change: Change, message: RegExp])[] = [
  ['an id with capital letters', (spec) => ({ ...spec, runId: 'Run' as RunId }), /^run_id is "Run"; allowed/],
  [
    'a digest that is none',
    (spec) => ({ ...spec, baseModel: { name: 'x', digest: 'abc' as Sha256Hex } }),
    /^base_model\.digest is "abc"/,
  ],
  ['a module name that is none', module0({ name: '..' as ModuleName }), /^modules\[0\]: module name is "\.\."/],
  ['a module named twice', modules([...many(1), ...many(1)]), /^modules\[1\]\.name is m\.n0 again/],
  ['a rank group that is no part of an id', module0({ rankGroup: 'Attention' }), /rank_group is "Attention"/],
  ['a rank that is not whole', rank({ max: 8.5 }), /^rank\.max is 8\.5/],
  ['NaN', training({ learningRate: Number.NaN }), /^training\.learning_rate is NaN/],
  [
    'an unknown strategy',
    (spec) => ({ ...spec, strategy: 'magic' as RunSpec['strategy'] }),
    /^strategy is "magic"; allowed: flexlora, /,
  ],
  [
    'an unknown update format',
    (spec) => ({ ...spec, updateFormat: 'int4' as 'int8' }),
    /^update_format is "int4"; allowed: as-trained, f32, bf16, f16, int8/,
  ],
  ['an unknown policy', rank({ policy: 'luck' as RunSpec['rank']['policy'] }), /^rank\.policy is "luck"/],
  [
    'int8 with more modules than a header holds',
    (spec) => ({
      ...spec,
      updateFormat: 'int8',
      modules: Array.from({ length: 7_000 }, (_, n) => ({
        ...spec.modules[0]!,
        name: `model.layers.${n}.block_sparse_moe.experts.w1` as ModuleName,
      })),
    }),
    /^update_format is int8 with 7000 modules.*take bf16/,
  ],
  ['fedavg with ranks that differ', (spec) => ({ ...spec, strategy: 'fedavg' }), /^strategy is fedavg with 3 tiers/],
];

for (const [what, change, message] of WRONG) {
  test(`${what} is refused with its field`, () => {
    const refusal = validateRunSpec(change(exampleSpec));
    assert.equal(refusal?.reason, 'badSpec');
    assert.match(refusal.message, message);
  });
}

test('fedavg is taken where all ranks are equal', () => {
  assert.equal(validateRunSpec({ ...rank({ policy: 'uniform' })(exampleSpec), strategy: 'fedavg' }), null);
  assert.equal(validateRunSpec({ ...rank({ tiers: [8] })(exampleSpec), strategy: 'fedavg' }), null);
});

test('the cohort is the goal times the over-selection, rounded up', () => {
  assert.equal(cohortSize(cohort({ goal: 10, overSelection: 1.25 })(exampleSpec)), 13);
});
