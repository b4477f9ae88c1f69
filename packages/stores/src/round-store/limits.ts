/** Bounds of what one call of a round store may carry. Breaking one is a bug of the caller, so it is an assertion, not a refusal. */

/** An event id becomes a part of a key: run, round, agent, attempt and a digest fit several times. */
export const EVENT_ID_CHARS_MAX = 300;
/** A holder is a process name such as `orchestrator-7f9c-2`. */
export const HOLDER_CHARS_MAX = 200;
/** An hour: a dead holder must not keep a run for longer, whatever the configuration says. */
export const LEASE_TTL_MS_MAX = 60 * 60_000;
/** Redis takes 1,048,576 arguments in one command; a first commit of 100,000 agents has 200,000. */
export const COMMIT_TEXTS_MAX = 1_000_000;
/** Events that one `readInbox` may ask for: one answer stays some tens of megabytes. */
export const INBOX_READ_MAX = 50_000;
/** Calls that wait for an answer at once; past it a call faults rather than grow the heap of a process that cannot keep up. */
export const CALLS_IN_FLIGHT_MAX = 20_000;

/** One line of visible text: control characters would break the inbox's and the lease's encoding. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f]/;

export function assertEventId(eventId: string): void {
  assertLine('event id', eventId, EVENT_ID_CHARS_MAX);
}

export function assertHolder(holder: string): void {
  assertLine('lease holder', holder, HOLDER_CHARS_MAX);
}

export function assertTtlMs(ttlMs: number): void {
  assertInteger('lease ttlMs', ttlMs, 1, LEASE_TTL_MS_MAX);
}

export function assertInboxRead(max: number): void {
  assertInteger('max of readInbox', max, 1, INBOX_READ_MAX);
}

export function assertCommitTexts(texts: number): void {
  assertInteger('number of texts in a commit', texts, 0, COMMIT_TEXTS_MAX);
}

function assertLine(what: string, text: string, charsMax: number): void {
  if (text.length > 0 && text.length <= charsMax && !CONTROL.test(text)) return;
  throw new RangeError(
    `${what} is ${JSON.stringify(text.slice(0, 80))} (${text.length} characters); allowed: 1 to ${charsMax} characters without control characters`,
  );
}

function assertInteger(what: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${what} is ${value}; allowed: a whole number from ${least} to ${most}`);
}
