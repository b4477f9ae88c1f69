import type { RetryPolicy } from '@flexlora/runtime';

/** How patient an agent is. A value and not constants, so that a simulation or a test sets its own. */
export interface AgentLimits {
  /** After an outage. It is never given up: the abort signal ends it. */
  readonly retry: RetryPolicy;
  /** After a refusal that another state of the platform may lift: the run does not exist yet, or is full. */
  readonly refusedRetry: RetryPolicy;
  /** Between two assignments that came to nothing. */
  readonly failedRetry: RetryPolicy;
  /** A transfer in which nothing moved for so long is broken off and resumed. */
  readonly transferIdleMs: number;
  /** What the server may hold a request for work; load balancers drop a silent call after 60 s. */
  readonly awaitMs: number;
}

export const AGENT_LIMITS: AgentLimits = {
  retry: { firstMs: 500, mostMs: 30_000, attemptsMax: Number.POSITIVE_INFINITY },
  refusedRetry: { firstMs: 5_000, mostMs: 300_000, attemptsMax: Number.POSITIVE_INFINITY },
  failedRetry: { firstMs: 1_000, mostMs: 60_000, attemptsMax: Number.POSITIVE_INFINITY },
  transferIdleMs: 60_000,
  awaitMs: 20_000,
};

/** A call that only asks or tells. */
export const CALL_MS_MAX = 15_000;
/** On top of what the server may hold a request for work. */
export const AWAIT_MARGIN_MS = 10_000;
/** The server verifies the whole update and folds the event before it answers. */
export const COMMIT_MS_MAX = 120_000;
/** What the server asks to wait is taken between these: neither a busy loop nor a wait beyond what an agent is held to be ready for. */
export const COME_BACK_MS_MIN = 50;
export const COME_BACK_MS_MAX = 600_000;
export const REPORT_MS_MIN = 100;
export const REPORT_MS_MAX = 600_000;
/** Between two reports when the last one failed: progress is for people who watch. */
export const REPORT_AFTER_FAILURE_MS = 10_000;
/** What a transfer's rate is measured over: long enough to be steady, short enough to follow the line. */
export const RATE_WINDOW_MS = 10_000;
/** Moves within this are one: a window holds some tens of them. */
export const RATE_STEP_MS = 500;
/** The first moment fills buffers, and says nothing of the line. */
export const RATE_KNOWN_AFTER_MS = 1_000;
/** A transfer that takes longer is in the log so often. */
export const TRANSFER_TOLD_MS = 10_000;
/** A failure that could not be told within so many tries is left to the round's deadline. */
export const FAILURE_REPORT_ATTEMPTS_MAX = 5;
/** Giving an assignment back while the agent stops. */
export const DECLINE_ON_STOP_MS = 2_000;

/** Ranks at which a device is measured before the run's tiers are known: small ones, which every device carries. */
export const FIRST_PROBE_RANKS: readonly number[] = [2, 4];
/** The cost model is a median over pairs: four ranks give six. */
export const PROBE_RANKS = 4;

/** Components came wrong so often during one download: what is stored is broken, not the line. */
export const DIGEST_MISMATCHES_MAX = 5;
/** Bytes of one message of an upload, when the server takes more: larger ones are no faster, and 16 of them are on their way at once. */
export const UPLOAD_CHUNK_BYTES_MAX = 256 << 10;
/** An upload that the server forgot is opened again so often for one update. */
export const UPLOAD_OPENS_MAX = 5;
/** An assignment whose update was accepted comes again so often before it is carried out again: with the pauses, half a minute. */
export const REPEATS_WAITED_MAX = 6;
/** A trainer that died or fell silent is tried so often for one assignment. */
export const TRAINING_ATTEMPTS_MAX = 2;

/** Adapters kept on disk: the one in use, and the one before, for an assignment that is handed out again. */
export const ADAPTERS_KEPT = 2;
/** Updates kept on disk that wait to be sent: an agent makes one at a time; more are left from restarts of long ago. */
export const UPDATES_WAITING_MAX = 4;
/** A journal has a few hundred bytes; a layout names every module of a run, twice in a long spectrum. */
export const JOURNAL_BYTES_MAX = 64 << 10;
export const LAYOUT_BYTES_MAX = 256 << 20;
