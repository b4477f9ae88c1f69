import { ObjectStoreFault } from './port.ts';

/** What to do about an error, by S3's code or the connection's. */
const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'create the bucket, or correct its name',
  NoSuchUpload: 'begin the upload again',
  AccessDenied:
    'allow this user to read, write, delete and list in the bucket, and to list and abort its multipart uploads',
  Forbidden:
    'allow this user to read, write, delete and list in the bucket, and to list and abort its multipart uploads',
  InvalidAccessKeyId: 'check the access key',
  SignatureDoesNotMatch: 'check the secret key, the region, and that no proxy changes requests',
  CredentialsProviderError: 'give credentials in the configuration or the environment',
  RequestTimeTooSkewed: 'set this machine’s clock',
  PermanentRedirect: 'set the region or endpoint of the bucket',
  AuthorizationHeaderMalformed: 'set the region of the bucket',
  EntityTooSmall: 'make every part but the last at least 5 MiB',
  NotImplemented: 'use an S3 that has this operation',
  SlowDown: 'S3 asks for fewer requests: try again later',
  ServiceUnavailable: 'try again later, and look at the load of S3',
  XMinioStorageFull: 'free space on its disks',
  ENOSPC: 'free space on its disks',
  TimeoutError: 'nothing moved for too long: look at the load of S3 and at the network',
  ECONNREFUSED: 'check that S3 runs, its endpoint, and network policies',
  ENOTFOUND: 'check the host of the endpoint, and for MinIO that forcePathStyle is set',
  EAI_AGAIN: 'check the host of the endpoint and the name service',
  ECONNRESET: 'the connection was lost: try again',
};

export function s3Fault(doing: string, error: unknown): ObjectStoreFault {
  const name = error instanceof Error ? error.name : '';
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const said = error instanceof Error ? error.message || code : String(error);
  // The SDK gives a lost connection the name of a time-out; its code is the truth.
  const advice = ADVICE[code] ?? ADVICE[name] ?? 'look at the log of S3';
  const label = code === '' ? name : code;
  const named = label === '' || label === 'Error' || said.includes(label) ? said : `${label}: ${said}`;
  return new ObjectStoreFault(`S3 did not ${doing}: ${named}; ${advice}`, { cause: error });
}

/** The HTTP status and S3's code, where the error is S3's answer. */
export function isAnswer(error: unknown, ...codesOrStatus: readonly (string | number)[]): boolean {
  if (!(error instanceof Error)) return false;
  const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
  return codesOrStatus.includes(error.name) || (status !== undefined && codesOrStatus.includes(status));
}

/** MinIO looks for a folder that is named by the token, and says of a token too long for one that the object's name is. */
export const UNKNOWN_UPLOAD = ['NoSuchUpload', 'XMinioInvalidObjectName'];

/** How often the request was sent: more than once means that an earlier try may have been done although its answer was lost. */
export const triesOf = (error: unknown): number =>
  (error as { $metadata?: { attempts?: number } } | null)?.$metadata?.attempts ?? 1;
