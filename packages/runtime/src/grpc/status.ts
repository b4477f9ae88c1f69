import type { Any } from '@flexlora/contracts/google/protobuf/any';
import { ErrorInfo, RetryInfo } from '@flexlora/contracts/google/rpc/error_details';
import { Status } from '@flexlora/contracts/google/rpc/status';
import { BusyFault, Fault, REFUSAL_REASONS, type Refusal, type RefusalReason, refuse } from '@flexlora/core';
import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';

/** Which status a refusal becomes: the only place where reasons meet codes. */
export const STATUS_OF_REASON: Readonly<Record<RefusalReason, status>> = {
  badId: status.INVALID_ARGUMENT,
  badModule: status.INVALID_ARGUMENT,
  badDigest: status.INVALID_ARGUMENT,
  badSpec: status.INVALID_ARGUMENT,
  badProfile: status.INVALID_ARGUMENT,
  badNumber: status.INVALID_ARGUMENT,
  badMessage: status.INVALID_ARGUMENT,
  badFile: status.INVALID_ARGUMENT,
  badTensor: status.INVALID_ARGUMENT,
  notFinite: status.INVALID_ARGUMENT,
  tooLarge: status.INVALID_ARGUMENT,
  rankOutOfRange: status.INVALID_ARGUMENT,
  unknownRun: status.NOT_FOUND,
  unknownAgent: status.NOT_FOUND,
  unknownRound: status.NOT_FOUND,
  unknownTask: status.NOT_FOUND,
  unknownUpload: status.NOT_FOUND,
  runExists: status.ALREADY_EXISTS,
  alreadyAccepted: status.ALREADY_EXISTS,
  notAssigned: status.FAILED_PRECONDITION,
  late: status.FAILED_PRECONDITION,
  leaseLost: status.FAILED_PRECONDITION,
  wrongPhase: status.FAILED_PRECONDITION,
  notPublished: status.FAILED_PRECONDITION,
  baseMismatch: status.FAILED_PRECONDITION,
  runFull: status.RESOURCE_EXHAUSTED,
  tooManyRuns: status.RESOURCE_EXHAUSTED,
};

const ERROR_DOMAIN = 'flexlora';
const DETAILS_KEY = 'grpc-status-details-bin';
const ERROR_INFO_URL = 'type.googleapis.com/google.rpc.ErrorInfo';
const RETRY_INFO_URL = 'type.googleapis.com/google.rpc.RetryInfo';
/** The message travels twice in the trailers (as text and in the details), and many clients take 8 KiB of trailers. */
const STATUS_CHARS_MAX = 1_500;
/** What a caller waits after a fault of a backend, at least. */
export const FAULT_RETRY_MS = 1_000;

const upperSnake = (reason: string): string => reason.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
const REASON_OF_UPPER = new Map(
  Object.keys(REFUSAL_REASONS).map((reason) => [upperSnake(reason), reason as RefusalReason]),
);

/** The status of a refusal, with its reason as a google.rpc.ErrorInfo. */
export function statusOfRefusal(refusal: Refusal): Partial<StatusObject> {
  const code = STATUS_OF_REASON[refusal.reason];
  const info = ErrorInfo.fromPartial({ reason: upperSnake(refusal.reason), domain: ERROR_DOMAIN });
  return withDetails(code, refusal.message, [
    { typeUrl: ERROR_INFO_URL, value: Buffer.from(ErrorInfo.encode(info).finish()) },
  ]);
}

/** The status of a call that may succeed later: unavailable, with how long to wait. */
export function statusOfFault(
  message: string,
  retryMs: number,
  code: status = status.UNAVAILABLE,
): Partial<StatusObject> {
  const info = RetryInfo.fromPartial({
    retryDelay: { seconds: Math.floor(retryMs / 1000), nanos: Math.round((retryMs % 1000) * 1_000_000) },
  });
  return withDetails(code, message, [{ typeUrl: RETRY_INFO_URL, value: Buffer.from(RetryInfo.encode(info).finish()) }]);
}

/** What a thrown error becomes at the door: a fault is unavailable, a bound that is reached exhausted, both with how long to wait; anything else is a bug of ours and says no more than that. */
export function statusOfThrown(error: unknown): Partial<StatusObject> {
  if (error instanceof BusyFault) return statusOfFault(error.message, FAULT_RETRY_MS, status.RESOURCE_EXHAUSTED);
  if (error instanceof Fault) return statusOfFault(error.message, FAULT_RETRY_MS);
  return { code: status.INTERNAL, details: 'internal error; the server logged it' };
}

/** What a client reads from a failed call. */
export type CallFailure =
  | Refusal
  /** Worth trying again, after `retryMs` when the server said so. */
  | { readonly kind: 'unavailable'; readonly message: string; readonly retryMs: number | null }
  | { readonly kind: 'broken'; readonly message: string };

const WORTH_RETRYING = new Set([
  status.UNAVAILABLE,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.RESOURCE_EXHAUSTED,
  status.CANCELLED,
  status.UNKNOWN,
  status.INTERNAL,
]);

export function failureOf(error: unknown): CallFailure {
  if (!isServiceError(error)) return { kind: 'broken', message: String(error) };
  const details = error.metadata?.get(DETAILS_KEY)[0];
  const { reason, retryMs } = details instanceof Buffer ? readDetails(details) : NO_DETAILS;
  if (reason !== null) return refuse(reason, error.details);
  if (WORTH_RETRYING.has(error.code)) return { kind: 'unavailable', message: error.details, retryMs };
  return { kind: 'broken', message: `${status[error.code]}: ${error.details}` };
}

interface StatusDetails {
  readonly reason: RefusalReason | null;
  readonly retryMs: number | null;
}

const NO_DETAILS: StatusDetails = { reason: null, retryMs: null };

/** Details are a help: what a proxy in between garbled, or a newer server added, leaves the code to speak for itself. */
function readDetails(bytes: Buffer): StatusDetails {
  let { reason, retryMs } = NO_DETAILS;
  try {
    for (const any of Status.decode(bytes).details) {
      if (any.typeUrl === ERROR_INFO_URL) reason = REASON_OF_UPPER.get(ErrorInfo.decode(any.value).reason) ?? reason;
      if (any.typeUrl === RETRY_INFO_URL) {
        const delay = RetryInfo.decode(any.value).retryDelay;
        if (delay !== undefined) retryMs = delay.seconds * 1000 + delay.nanos / 1_000_000;
      }
    }
  } catch {
    return NO_DETAILS;
  }
  return { reason, retryMs };
}

export function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && typeof (error as Partial<ServiceError>).code === 'number' && 'details' in error;
}

function withDetails(code: status, text: string, details: readonly Any[]): Partial<StatusObject> {
  const message = trailerText(text);
  const metadata = new Metadata();
  metadata.set(
    DETAILS_KEY,
    Buffer.from(Status.encode(Status.fromPartial({ code, message, details: [...details] })).finish()),
  );
  return { code, details: message, metadata };
}

/** gRPC percent-encodes the message, which fails on half a surrogate pair; and what is too long for a trailer loses the whole status. */
function trailerText(text: string): string {
  const cut = text.length > STATUS_CHARS_MAX ? `${text.slice(0, STATUS_CHARS_MAX - 1)}…` : text;
  return cut.toWellFormed();
}
