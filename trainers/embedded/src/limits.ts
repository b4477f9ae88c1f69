/** Bounds of a request, each with its reason. */

/** A line of the protocol, as the agent bounds it. */
export const LINE_BYTES_MAX = 1 << 20;
/** The agent chooses ids; a longer one is a fault of its own. */
export const ID_CHARS_MAX = 64;
/** Above this, LoRA on a 128-wide model is eight times full fine-tuning. */
export const RANK_MAX = 1_024;
/** 64 sequences of 64 tokens take 200 MB of activations. */
export const BATCH_SIZE_MAX = 64;
/** A week at 30 ms a step. */
export const STEPS_MAX = 20_000_000;
/** The files of an adapter of rank 1,024 on every module: 45 MB as f32. */
export const ADAPTER_BYTES_MAX = 1 << 28;
/** A safetensors header: forty modules × two tensors × ~200 bytes, with room for other producers' metadata. */
export const SAFETENSORS_HEADER_BYTES_MAX = 4 << 20;
/** An adapter's or a model's JSON configuration. */
export const CONFIG_BYTES_MAX = 4 << 20;
/** A local text is held in memory as bytes by each thread that uses it. */
export const TEXT_BYTES_MAX = 1 << 28;
/** What one thread may hold: weights, one adapter with its optimiser state, and activations. */
export const HEAP_BYTES_MAX = 1 << 30;
/** Ranks of one probe: each costs three steps. */
export const PROBE_RANKS_MAX = 64;
/** More threads than this share one memory bus to no profit. */
export const THREADS_MAX = 256;
