/**
 * The catalogue of reasons for which the platform says no. A refusal is an answer, not a fault: it changes nothing, and asking again
 * without a change gives the same answer. Every reason is stable: clients may switch on it.
 */
export const REFUSAL_REASONS = {
  // Names and values of a request.
  badId: 'An id has characters or a length that are not allowed.',
  badModule: 'A module name or shape is not what the run trains.',
  badDigest: 'A digest is malformed, or is not the digest of the bytes that came.',
  badSpec: 'A run specification is incomplete or contradicts itself.',
  badProfile: 'A resource profile is incomplete or not believable.',
  badNumber: 'A number is outside its range.',
  badMessage: 'The bytes of a request are not the message that the call takes, or a number in it is above 2^53 - 1.',
  // Bytes of an update.
  badFile: 'The bytes are not a safetensors file, or the file is cut off.',
  badTensor: 'A tensor is missing, unexpected, or has another shape or dtype than the assignment.',
  notFinite: 'A tensor holds NaN or infinity.',
  tooLarge: 'More bytes than the limit or than was declared.',
  rankOutOfRange: 'A rank is outside what the assignment or the run allows.',
  // State of a run.
  unknownRun: 'There is no run of this id.',
  runExists: 'A run of this id exists with another specification.',
  unknownAgent: 'The agent is not enrolled in this run.',
  unknownRound: 'There is no such round in this run.',
  unknownTask: 'There is no such task in the open round.',
  unknownUpload: 'There is no such open upload.',
  notAssigned: 'The agent has no assignment in this round.',
  late: 'The round no longer takes updates.',
  alreadyAccepted: 'An update with other bytes was already accepted from this agent in this round.',
  leaseLost: 'The task is leased to another aggregator, or the lease ran out.',
  wrongPhase: 'The run is not in a phase in which this is possible.',
  notPublished: 'The adapter version is not published yet.',
  baseMismatch: 'The agent trains on another base model than the run.',
  // Capacity.
  runFull: 'The run holds as many agents as it may.',
  tooManyRuns: 'The platform holds as many runs as it may.',
} as const;

export type RefusalReason = keyof typeof REFUSAL_REASONS;

export interface Refusal {
  readonly kind: 'refusal';
  readonly reason: RefusalReason;
  /** One sentence: what was got, what is allowed, what to do. */
  readonly message: string;
}

export const refuse = (reason: RefusalReason, message: string): Refusal => ({ kind: 'refusal', reason, message });

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'refusal';
}
