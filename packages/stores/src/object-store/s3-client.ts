import { CreateBucketCommand, HeadBucketCommand, S3Client, type UploadPartCommand } from '@aws-sdk/client-s3';
import { ObjectStoreFault } from './port.ts';
import { isAnswer, s3Fault } from './s3-fault.ts';

export interface S3ObjectStoreOptions {
  /** `http://minio:9000`; AWS' own when absent. */
  readonly endpoint?: string;
  readonly region: string;
  readonly bucket: string;
  /** AWS' chain (environment, files, instance, web identity) when absent. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** `endpoint/bucket/name` rather than `bucket.endpoint/name`: what MinIO and most others want. Default: when an endpoint is given. */
  readonly forcePathStyle?: boolean;
  /** Connections at once; requests past it wait their turn. Default 64. */
  readonly connectionsMax?: number;
  /** For a connection to be had: a turn and the handshake. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** While no byte moves, either way. There is no limit while bytes move. Default 30,000. */
  readonly idleTimeoutMs?: number;
  /** Tries of one request, with the SDK's backoff between them. Default 3. */
  readonly triesMax?: number;
}

const CONNECTIONS_MAX = 64;
const CONNECT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;
const TRIES_MAX = 3;
/** Whose value, where a request has it, is what is signed. */
const CONTENT_SHA256 = 'x-amz-content-sha256';

/** Makes the bucket where it is missing: for development and tests; in production the bucket is somebody's decision. */
export async function ensureS3Bucket(options: S3ObjectStoreOptions): Promise<'created' | 'exists'> {
  const client = openClient(options);
  try {
    await client.send(new CreateBucketCommand({ Bucket: options.bucket }));
    return 'created';
  } catch (error) {
    if (isAnswer(error, 'BucketAlreadyOwnedByYou', 'BucketAlreadyExists')) return 'exists';
    throw s3Fault(`create bucket ${options.bucket}`, error);
  } finally {
    client.destroy();
  }
}

export function openClient(options: S3ObjectStoreOptions): S3Client {
  const agent = { keepAlive: true, maxSockets: options.connectionsMax ?? CONNECTIONS_MAX };
  const { endpoint, credentials } = options;
  return new S3Client({
    region: options.region,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(credentials === undefined ? {} : { credentials: { ...credentials } }),
    forcePathStyle: options.forcePathStyle ?? endpoint !== undefined,
    // Many an S3-alike does not know the SDK's newer checksums; the platform has its own digests.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    retryMode: 'standard',
    maxAttempts: options.triesMax ?? TRIES_MAX,
    // With it the SDK opens a connection of its own for each large body, past the bound of the pool.
    expectContinueHeader: false,
    requestHandler: {
      httpAgent: agent,
      httpsAgent: agent,
      connectionTimeout: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      socketTimeout: options.idleTimeoutMs ?? IDLE_TIMEOUT_MS,
    },
  });
}

/** Sends the body without its SHA-256 in the signature: a third of the cost of a part, for bytes whose digest the platform has already. */
export function unsigned(command: UploadPartCommand): UploadPartCommand {
  command.middlewareStack.add(
    (next) => (args) => {
      (args.request as { readonly headers: Record<string, string> }).headers[CONTENT_SHA256] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayload' },
  );
  return command;
}

/** HEAD has no body that could say why, so its bare status gets the words. */
export async function checkBucket(client: S3Client, bucket: string): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!isAnswer(error, 404)) throw error;
    throw new ObjectStoreFault(`there is no bucket ${bucket}; create it, or correct its name`, { cause: error });
  }
}
