/** What the scripts of `lua/` answer where they do not answer with data. Each script's header names those that it gives. */
export const SCRIPT_CODES = {
  done: 1,
  /** Somebody holds the lease. */
  held: 0,
  /** The lease was lost, or the version is another. */
  fenced: -1,
  unknownRun: -2,
  repeated: -3,
  full: -4,
} as const;
