/** The codes of the trainer protocol's `error` event. */
export type TrainerErrorCode =
  | 'bad_request'
  | 'bad_adapter'
  | 'bad_data'
  | 'out_of_memory'
  | 'diverged'
  | 'cancelled'
  | 'internal';

/** A request that could not be answered. The message says what was got, what is allowed, and what to do. */
export class TrainerError extends Error {
  override readonly name = 'TrainerError';
  readonly code: TrainerErrorCode;
  /** With `out_of_memory`: bytes that were held when more were asked for. */
  readonly peakBytes: number | null;

  constructor(code: TrainerErrorCode, message: string, options?: ErrorOptions & { readonly peakBytes?: number }) {
    super(message, options);
    this.code = code;
    this.peakBytes = options?.peakBytes ?? null;
  }
}

export function toTrainerError(error: unknown): TrainerError {
  if (error instanceof TrainerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new TrainerError('internal', `the trainer failed on its own account: ${message}`, { cause: error });
}
