/** Bounds of what a run may ask for. Each stands here with its reason; validators and their tests read them. */

/** A round's manifest lists every update: 10,000 × ~300 bytes stays a 3 MB document. */
export const COHORT_AGENTS_MAX = 10_000;
/** State is held in memory by the lease-holder: 100,000 agents × ~0.5 KB is 50 MB. */
export const RUN_AGENTS_MAX = 100_000;
/** Each makes the run a round longer; a run that needs more has another trouble than its last adapter. */
export const ROLLBACKS_MAX = 1_000;
/** A state's summaries of rounds are kept for the life of the run. */
export const RUN_ROUNDS_MAX = 10_000;
/** The widest models in use have a few hundred layers of seven targets. */
export const RUN_MODULES_MAX = 8_192;
/** The side of a target matrix: a vocabulary of a million rows is the largest seen. */
export const MODULE_SIDE_MAX = 1 << 20;
/** LoRA above this rank is full fine-tuning at a higher price. */
export const RANK_MAX = 1_024;
/** Groups of modules that share a rank: attention, feed-forward, head, and room for more. */
export const RANK_GROUPS_MAX = 16;
/** A safetensors header: 8,192 modules × two tensors × ~200 bytes. */
export const SAFETENSORS_HEADER_BYTES_MAX = 4 << 20;
/** Objects and lists within one another: the format has three, and thousands would overflow the stack of whoever shows them. */
export const SAFETENSORS_HEADER_DEPTH_MAX = 16;
/** Tries of one task, in all, whose work may fail before the run stops and says why. */
export const TASK_ATTEMPTS_MAX = 5;
/** Of these count for one aggregator at most so many: a machine that is broken fails everything, and must not end a run by itself. */
export const TASK_FAILURES_OF_ONE_MAX = 3;
/** Leases of one task that may run out before it is held: by then it is the task that takes its aggregators with it. */
export const TASK_LAPSES_MAX = 5;
/** The same when more than one aggregator was lost: two machines that die over one task within a round are no accident the third time. */
export const TASK_LAPSES_OF_SEVERAL_MAX = 3;
/**
 * After the n-th lapse a task rests for this × 2ⁿ: a holder that was only away comes back to it, and a deadly task kills slowly. With
 * `TASK_LAPSES_MAX` that is 16 s at most.
 */
export const TASK_REST_MS = 1_000;
/** Effects of a run whose troubles are kept: more than one run ever has pending in its stages. */
export const TROUBLES_MAX = 16;
/** Text that a client sends to be shown to an operator is cut to this. */
export const MESSAGE_CHARS_MAX = 500;

/** A rank group's name becomes part of task ids (`attention-12`), which have at most 63 characters. */
export const RANK_GROUP_CHARS_MAX = 40;
/** A base model's name is shown to people. */
export const BASE_MODEL_NAME_CHARS_MAX = 200;
/** More than ten agents for one wanted update is a mistake of units. */
export const OVER_SELECTION_MAX = 10;
/** Shorter durations than a message's way are a mistake of units (seconds for milliseconds). */
export const DURATION_MS_MIN = 10;
/** A round that collects for longer than a month has lost its agents. */
export const COLLECTING_MS_MAX = 30 * 24 * 3_600_000;
/** A lost aggregator or a lost agent is noticed within a day. */
export const LEASE_MS_MAX = 24 * 3_600_000;
/** Steps between two aggregations: beyond this nothing federated is left. */
export const TRAINING_STEPS_MAX = 10_000_000;
/** Sequences of one optimiser step. */
export const BATCH_SIZE_MAX = 65_536;
/** The tolerance of a run that names none: a tenth of a per cent above the smallest possible error is far below what one more rank changes. */
export const TOLERANCE_STANDARD = 1.001;
/** Factors come in float32 or less: a sum that is exact to a millionth is as good as they are. */
export const TOLERANCE_MIN = 1 + 1e-6;
/** An error twice the smallest possible is no truncated SVD any more. */
export const TOLERANCE_MAX = 2;
/** A learning rate above ten diverges in every optimiser in use. */
export const LEARNING_RATE_MAX = 10;
/** LoRA's alpha is a small multiple of the rank. */
export const ALPHA_MAX = 65_536;
/** Seeds travel as 31-bit numbers, which every trainer's generator takes. */
export const SEED_MAX = 2 ** 31 - 1;
/** The sum over the largest cohort, 10,000 × 10^11, is still an exact integer in a double. */
export const UPDATE_SAMPLES_MAX = 100_000_000_000;
/** A probe measures a handful of ranks; the fit looks at every pair of them. */
export const PROBE_MEASUREMENTS_MAX = 64;
/** Agents and aggregators report memory and rates in bytes: a petabyte is not believable. */
export const PROFILE_BYTES_MAX = 2 ** 50;
/** A training step that takes longer than a day is not believable. */
export const PROFILE_STEP_SECONDS_MAX = 86_400;
/**
 * Tasks that a rank group is split into at least, when it has as many modules: four aggregators share a round of a small model, and one
 * that is lost costs a quarter of a group.
 */
export const TASKS_PER_RANK_GROUP_MIN = 4;
/** Bytes of one task's adapter object at most, unless a single module has more: a task stays a matter of minutes and of an aggregator's memory. */
export const TASK_OBJECT_BYTES_TARGET = 256 << 20;
