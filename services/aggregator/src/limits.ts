/** Bounds of what this process holds and waits for, each with its reason. */

/** The server holds a claim for so long; load balancers with a 60 s limit stay away from it. */
export const CLAIM_WAIT_MS = 20_000;
/** The held time, and as much again for the way and a busy server. */
export const CLAIM_DEADLINE_MS = 40_000;
/** Claims are made for ever: the process has nothing else to do. */
export const CLAIM_RETRY = { firstMs: 200, mostMs: 10_000, attemptsMax: Number.POSITIVE_INFINITY } as const;
/** An answer to come back sooner than this would turn the loop into a hot one. */
export const COME_BACK_MS_MIN = 10;
/** An answer to come back later than this would leave a round waiting for nothing. */
export const COME_BACK_MS_MAX = 60_000;

/** A lease is renewed three times in its length, so that two renewals may get lost. */
export const RENEWALS_PER_LEASE = 3;
/** A renewal that failed is tried again after a tenth of the lease. */
export const RENEWAL_TRIES_PER_LEASE = 10;
/** No timer is shorter, however short a lease is. */
export const RENEW_MS_MIN = 5;

/** A result is handed in for as long as the lease holds. */
export const COMPLETE_RETRY = { firstMs: 200, mostMs: 5_000, attemptsMax: Number.POSITIVE_INFINITY } as const;
export const COMPLETE_DEADLINE_MS = 30_000;
/** Giving a task up only spares the others the rest of its lease: a few tries will do. */
export const FAIL_RETRY = { firstMs: 100, mostMs: 1_000, attemptsMax: 3 } as const;
export const FAIL_DEADLINE_MS = 5_000;

/** Each call to the object store; past this the task is given back, which is one more layer of patience. */
export const STORE_RETRY = { firstMs: 100, mostMs: 5_000, attemptsMax: 6 } as const;
/** After a task that was handed back because of the store, and until the store answers, nothing is claimed: each claim would come to the same. */
export const BACKEND_RETRY = { firstMs: 500, mostMs: 15_000 } as const;
/** Readiness is asked every few seconds; a store that is silent for longer does not answer. */
export const READY_MS_MAX = 3_000;

/** Ranged reads under way in one task: hides a store's latency and stays below its limit of connections. */
export const PULLS_AT_ONCE_MAX = 16;
/** The header of a 32-layer adapter has about 50 kB: one read nearly always. */
export const HEADER_READ_BYTES = 128 << 10;
/** Headers of updates that a process keeps from one task of a round to the next: of some 1,300 32-layer adapters, or 10,000 smaller ones. */
export const HEADER_CACHE_BYTES_MAX = 64 << 20;
/** Objects up to one part are put at once, larger ones in parts of this size; 10,000 parts of it are 80 GiB. */
export const PART_BYTES = 8 << 20;

/** A ledger and a manifest list at most 10,000 updates of ~300 bytes, a manifest 8,192 modules of up to 1,024 singular values. */
export const DOCUMENT_BYTES_MAX = 256 << 20;
/** η of the strategies that have one: the adapter goes all the way to the updates. */
export const SERVER_RATE = 1;

/** Tasks at a time: each holds a batch of factors, what the kernel keeps of one module, and its own result. */
export const PARALLEL_TASKS_MAX = 64;
/** More threads than any machine in use has cores are a mistake. */
export const KERNEL_THREADS_MAX = 1_024;
/** Below this not even a module of a toy fits, and a value in MiB is a mistake of units. */
export const KERNEL_MEMORY_BYTES_MIN = 16 << 20;
/** A task under way gets so long to finish when the process stops; then it is handed back. */
export const STOP_GRACE_MS = 20_000;
/** More than the grace: what is left after it are a call to hand back and the end of a read. */
export const STOP_STEP_MS = 30_000;
