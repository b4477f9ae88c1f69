/** Bounds of what a run may ask for. Each stands here with its reason; validators and their tests read them. */

/** A round's manifest lists every update: 10,000 × ~300 bytes stays a 3 MB document. */
export const COHORT_AGENTS_MAX = 10_000;
/** State is held in memory by the lease-holder: 100,000 agents × ~0.5 KB is 50 MB. */
export const RUN_AGENTS_MAX = 100_000;
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
/** Times one task is tried again before the run stops and says why. */
export const TASK_ATTEMPTS_MAX = 5;
/** Text that a client sends to be shown to an operator is cut to this. */
export const MESSAGE_CHARS_MAX = 500;
