/** Bounds of what this process holds and waits for, each with its reason. */

/** A door's clock may be ahead of the holder's by so much, with the way to the inbox; more would end leases and rounds before their time. */
export const CLOCK_AHEAD_MS_MAX = 2_000;
/** Events folded between two commits: a reply waits for at most so many others. */
export const FOLD_EVENTS_MAX = 256;
/** Every run costs a timer and a lease; past this a second platform serves better. */
export const RUNS_MAX = 1_000;
/** Signals may be lost with a connection: a holder looks at its inbox at least so often. */
export const INBOX_POLL_MS = 1_000;
/** Runs that another process created are found at least so often. */
export const RUNS_POLL_MS = 2_000;
/** Names of all objects are listed for runs that the round store never heard of: 100,000 names are 100 requests of S3. */
export const SPECIFIED_POLL_MS = 60_000;
/** A settled run is looked at only when somebody offers something; this is for a lost signal. */
export const SETTLED_POLL_MS = 30_000;
/** A run whose backend or fold failed is tried again after between these. */
export const SESSION_RETRY = { firstMs: 200, mostMs: 5_000, attemptsMax: Number.POSITIVE_INFINITY } as const;
/** Effects of one run performed at the same time. */
export const EFFECTS_AT_ONCE_MAX = 8;
/** Rounds that are swept at the same time. */
export const SWEEPS_AT_ONCE_MAX = 2;
/** Whoever takes a lease asks the object store so long, at most, whether it holds what the state lacks: a takeover stays within its bound. */
export const LOOK_AHEAD_MS_MAX = 1_000;
/** Small documents of one run that are read, or deleted, at the same time. */
export const OBJECTS_AT_ONCE_MAX = 32;
/** Rounds that a recovery reads at the same time; each has some megabytes of manifest and ledger where thousands took part. */
export const ROUNDS_AT_ONCE_MAX = 4;
/** An effect is idempotent and the run waits for it: it is tried until the lease is lost. */
export const EFFECT_RETRY = { firstMs: 200, mostMs: 10_000, attemptsMax: Number.POSITIVE_INFINITY } as const;

/** From so many tries of an effect on the run says that it is troubled, so often at most. */
export const TROUBLE_ATTEMPTS_MIN = 3;
export const TROUBLE_TOLD_MS = 30_000;

/** What a run waits for is in the log at least so often. */
export const WAITING_TOLD_MS = 60_000;

/** A reply comes within a lease time after the loss of a replica; past this the caller repeats the call. */
export const REPLY_MS_MAX = 20_000;
/** Lost signals: replies are looked for at least so often. */
export const REPLY_POLL_MS = 1_000;
/** Replies read at once after a commit. */
export const REPLIES_AT_ONCE_MAX = 64;
/** Most commits answer callers of another process or nobody: the first look after one is at so many, and twice as many each time some were found. */
export const REPLIES_AT_FIRST = 4;
/** Callers of one process that wait for a reply: as many as an inbox takes. */
export const REPLY_WAITERS_MAX = 50_000;

/** A held call is answered before load balancers with a 60 s limit cut it. */
export const LONG_POLL_MS_MAX = 30_000;
/** A cached head is read again after this, in case the signal of a commit was lost. */
export const HEAD_AGE_MS_MAX = 1_000;
/** Agents that are told to come back spread over this many calls a second and run. */
export const COME_BACK_CALLS_PER_SECOND = 200;
export const COME_BACK_MS_MIN = 500;
export const COME_BACK_MS_MAX = 60_000;
/**
 * Agents that wait in one process when a round begins: so many begin at once, the others so many at a time, and are told when. Each begins
 * with a download, and thousands of them would keep every other call waiting for as long as they take.
 */
export const HANDOUTS_AT_ONCE = 10;
export const HANDOUTS_EVERY_MS = 1_000;
/** Of the time that a round collects: all have begun by then, however many more that makes at a time. */
export const BEGINNING_SHARE_MAX = 0.2;
/** Progress is for people: ten reports in a quarter of an hour of training would do. */
export const PROGRESS_REPORT_MS = 10_000;
/** A rate that was told longer ago says nothing of now: a transfer in which nothing moves for so long is cut. */
export const RATE_AGE_MS_MAX = 60_000;
/** Changes of a run within this are told once. */
export const WATCH_COALESCE_MS = 100;
/** Watchers of one process: each change encodes the run once for each of them. */
export const WATCHERS_MAX = 1_000;
/** Calls held open for work in one process: as many as the largest run has agents; each holds some kilobytes. */
export const HELD_CALLS_MAX = 100_000;
/** States kept for operators between two commits: the largest has some ten megabytes. */
export const STATES_CACHED_MAX = 8;
/** Agents on one page. */
export const AGENTS_PAGE_MAX = 1_000;

/** S3 takes parts from 5 MiB; a broken transfer sends at most one part again. */
export const PART_BYTES = 5 << 20;
/** Chunks an agent may send: one is taken apart, and one is read ahead, while a part is written. */
export const UPLOAD_CHUNK_BYTES_MAX = 512 << 10;
/** Chunks of a download: many small ones cost CPU, few large ones cost memory per stalled reader. */
export const DOWNLOAD_CHUNK_BYTES = 256 << 10;
/** A transfer without a byte for so long is cut; while bytes move nothing is. */
export const TRANSFER_IDLE_MS_MAX = 60_000;
/** Manifests kept in memory: agents of one round read the same one. */
export const MANIFESTS_MAX = 16;
/** Characters of an upload's id. */
export const UPLOAD_ID_CHARS_MAX = 2_048;

/** Long polls and transfers under way get so long when the process stops. */
export const DRAIN_MS = 5_000;
export const STOP_STEP_MS = 5_000;
/** Stores are asked at most so often whether they answer, however many probes there are. */
export const READY_CHECK_MS = 2_000;
/** Commits within this wake waiting agents once. */
export const OCCASION_COALESCE_MS = 20;
/** Members of a round read at once for those who wait: an answer of a megabyte at most. */
export const MEMBERS_READ_MAX = 1_000;
/** The waits of held calls end at most so late: their ends within this are one look at all of them. */
export const WAIT_STEP_MS = 50;
/** Agents that say that they are here within this are one event; none waits longer to be counted. */
export const PRESENCE_GATHER_MS = 150;
/** Agents in one such event: it is some tens of kilobytes. */
export const PRESENCE_AGENTS_MAX = 500;
/** A run is told to its watchers no more often than its agents times this: reading 10,000 of them takes about a tenth of a second. */
export const WATCH_MS_PER_AGENT = 0.2;
/** A watcher of the largest run still hears of it within this; a stop waits for no watcher longer. */
export const WATCH_COALESCE_MS_MAX = 2_500;
/** Parts of adapters that downloads share: a larger one costs more to hold than its request costs. */
export const SHARED_PART_BYTES_MAX = 4 << 20;
/** All of them together. */
export const SHARED_BYTES_MAX = 64 << 20;
/** Connections to S3 beside one for each transfer under way: no transfer waits for another's. */
export const DECISION_CONNECTIONS_MAX = 64;
