/** Bounds of one trainer process. They are those of the trainer protocol (docs/reference/trainer-protocol.md), and a few of our own. */
export interface TrainerLimits {
  /** Loading a large base model takes minutes. */
  readonly helloMs: number;
  /** A probe takes a few steps at a few ranks and reports no progress; on a slow device a step takes a minute. */
  readonly probeMs: number;
  /** A trainer that reports nothing for so long during `train` or `evaluate` is stalled. */
  readonly silenceMs: number;
  /** A cancel takes effect within one step; beyond this the process is killed. */
  readonly cancelMs: number;
  /** What a trainer has to exit by itself after `shutdown` and the end of its input. */
  readonly exitMs: number;
  /** From SIGTERM to SIGKILL: time to remove half-written files, not to finish work. */
  readonly termMs: number;
}

export const TRAINER_LIMITS: TrainerLimits = {
  helloMs: 300_000,
  probeMs: 600_000,
  silenceMs: 120_000,
  cancelMs: 60_000,
  exitMs: 10_000,
  termMs: 5_000,
};

/** A trainer that floods its pipe is stopped; a request of ours stays below it as well. */
export const LINE_BYTES_MAX = 1 << 20;
/** Libraries print to standard output now and then; a process that prints more than this during one request speaks another protocol. */
export const GARBAGE_LINES_MAX = 100;
/** An agent has one request under way; evaluations may wait behind it. */
export const REQUESTS_WAITING_MAX = 16;
/** A stack trace's line fits; a progress bar without line ends is cut. */
export const STDERR_LINE_BYTES_MAX = 8 << 10;
/** A stack trace of a hundred lines passes; a trainer that logs every step does not fill the agent's log. */
export const STDERR_LINES_PER_WINDOW_MAX = 200;
export const STDERR_WINDOW_MS = 10_000;
/** The end of a stack trace names the error; it goes into the message of a process that died. */
export const STDERR_LAST_LINES = 3;
/** Text of a trainer that is shown to people: its last lines, a garbage line. */
export const SHOWN_CHARS_MAX = 300;
