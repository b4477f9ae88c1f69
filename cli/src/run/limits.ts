/** How long, and how often, an operator's command asks. */

/** Waits between two tries, and how many there are. */
export interface Patience {
  readonly firstMs: number;
  readonly mostMs: number;
  readonly attemptsMax: number;
}

/** The door of a run answers within a takeover of its lease, which it waits for itself. */
export const CALL_MS_MAX = 25_000;
/** Whoever cancels is about to end, and a user waits for it. */
export const CANCEL_MS_MAX = 3_000;
/** A person at a terminal wants to know within seconds that nobody answers. */
export const PERSON_PATIENCE: Patience = { firstMs: 200, mostMs: 1_000, attemptsMax: 4 };
/** Services that start are there within seconds; ones that are away for a minute are worth an error. */
export const PROGRAM_PATIENCE: Patience = { firstMs: 200, mostMs: 2_000, attemptsMax: 40 };
/** Agents of one answer: the most that the server gives. */
export const AGENTS_PAGE = 1_000;
/** A specification of 8,192 modules is a megabyte. */
export const SPEC_FILE_BYTES_MAX = 16 << 20;
