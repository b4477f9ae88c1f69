import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  type Part,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { assertCompletable, assertPart, assertRange } from './limits.ts';
import { assertObjectName, assertObjectPrefix } from './object-name.ts';
import { type ByteRange, type ObjectStore, ObjectStoreFault, type StoredPart, type UploadToken } from './port.ts';
import { isAnswer, s3Fault, triesOf, UNKNOWN_UPLOAD } from './s3-fault.ts';

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
/** 409 says that another writer is at work on the name right now: it is over in moments. */
const CONFLICT_TRIES_MAX = 8;
const CONFLICT_WAIT_MS = 25;
/** Tells a writer whose answer was lost that the object is its own. */
const WRITER_METADATA = 'flexlora-writer';
const PROBE_NAME = 'flexlora-probe/conditional-put';

/** Objects in S3 or what behaves like it. An {@link UploadToken} is S3's UploadId, and S3 alone knows the parts. */
export function createS3ObjectStore(options: S3ObjectStoreOptions): ObjectStore {
  const client = openClient(options);
  const Bucket = options.bucket;
  let conditionalWritesHold = false;

  /** Every use of the client: whatever goes wrong is a fault, except what the caller did (a bug, an abort). */
  async function use<T>(doing: string, signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ObjectStoreFault ? error : s3Fault(doing, error);
    }
  }

  const abortable = (signal: AbortSignal | undefined) => (signal === undefined ? {} : { abortSignal: signal });

  async function head(name: string, signal?: AbortSignal) {
    try {
      return await client.send(new HeadObjectCommand({ Bucket, Key: name }), abortable(signal));
    } catch (error) {
      if (isAnswer(error, 404)) return null;
      throw error;
    }
  }

  /** The body as pieces; null when there is no such object. */
  async function open(name: string, range: ByteRange | undefined, signal: AbortSignal | undefined) {
    // An empty range cannot be said in HTTP, and a range past the end is refused: both are an empty body of what is there.
    if (range?.end === range?.start && range !== undefined)
      return (await head(name, signal)) === null ? null : emptyBody();
    const Range =
      range === undefined ? {} : { Range: `bytes=${range.start}-${range.end === undefined ? '' : range.end - 1}` };
    try {
      const { Body, ContentLength } = await client.send(
        new GetObjectCommand({ Bucket, Key: name, ...Range }),
        abortable(signal),
      );
      return { pieces: Body as AsyncIterable<Uint8Array>, bytes: ContentLength ?? 0 };
    } catch (error) {
      if (isAnswer(error, 'NoSuchKey')) return null;
      if (isAnswer(error, 416)) return emptyBody();
      throw error;
    }
  }

  async function* read(name: string, range?: ByteRange, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    assertObjectName(name);
    assertRange(range);
    const body = await use(`open ${name}`, signal, () => open(name, range, signal));
    if (body === null) throw new ObjectStoreFault(`there is no object ${name}`);
    // Ending the loop early returns from the body's iterator too, which gives its connection up.
    try {
      let left = body.bytes;
      for await (const piece of body.pieces) {
        left -= piece.length;
        yield piece;
      }
      if (left !== 0) throw new Error(`${left} bytes of ${body.bytes} did not come`);
    } catch (error) {
      signal?.throwIfAborted();
      throw s3Fault(`read ${name} to its end`, error);
    }
  }

  /** Writes only where nothing is. True: it is this call's object. */
  async function putNew(name: string, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<boolean> {
    const writer = randomUUID();
    const put = { Bucket, Key: name, Body: bytes, IfNoneMatch: '*', Metadata: { [WRITER_METADATA]: writer } };
    for (let turn = 1; ; turn += 1) {
      try {
        await client.send(new PutObjectCommand(put), abortable(signal));
        return true;
      } catch (error) {
        if (isAnswer(error, 412)) {
          if (triesOf(error) === 1 && turn === 1) return false;
          return (await head(name, signal))?.Metadata?.[WRITER_METADATA] === writer;
        }
        if (!isAnswer(error, 409) || turn === CONFLICT_TRIES_MAX) throw error;
        await delay(
          CONFLICT_WAIT_MS * 2 ** (turn - 1) * (0.5 + 0.5 * Math.random()),
          undefined,
          signal ? { signal } : {},
        );
      }
    }
  }

  /** Null when the upload is unknown. */
  async function listParts(name: string, token: UploadToken, signal?: AbortSignal): Promise<readonly Part[] | null> {
    const parts: Part[] = [];
    let marker: string | undefined;
    try {
      do {
        const from = marker === undefined ? {} : { PartNumberMarker: marker };
        const page = await client.send(
          new ListPartsCommand({ Bucket, Key: name, UploadId: token, ...from }),
          abortable(signal),
        );
        parts.push(...(page.Parts ?? []));
        marker = page.IsTruncated ? page.NextPartNumberMarker : undefined;
      } while (marker !== undefined);
    } catch (error) {
      if (isAnswer(error, ...UNKNOWN_UPLOAD)) return null;
      throw error;
    }
    return parts;
  }

  const storedParts = (parts: readonly Part[]): readonly StoredPart[] =>
    parts.map(({ PartNumber, Size }) => ({ part: PartNumber ?? 0, bytes: Size ?? 0 }));

  async function complete(name: string, token: UploadToken, signal: AbortSignal | undefined): Promise<boolean> {
    const parts = await listParts(name, token, signal);
    if (parts === null) return false;
    const stored = storedParts(parts);
    assertCompletable(name, stored);
    const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
    try {
      await client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key: name, UploadId: token, MultipartUpload: { Parts } }),
        abortable(signal),
      );
      return true;
    } catch (error) {
      if (!isAnswer(error, ...UNKNOWN_UPLOAD)) throw error;
      if (triesOf(error) === 1) return false;
      // An earlier try may have completed it: then the object is there, as long as its parts.
      return (await head(name, signal))?.ContentLength === stored.reduce((sum, { bytes }) => sum + bytes, 0);
    }
  }

  return {
    async put(name, bytes, signal) {
      assertObjectName(name);
      await use(`write ${name}`, signal, () =>
        client.send(new PutObjectCommand({ Bucket, Key: name, Body: bytes }), abortable(signal)),
      );
    },

    async putIfAbsent(name, bytes, signal) {
      assertObjectName(name);
      return use(`write ${name}`, signal, async () => ((await putNew(name, bytes, signal)) ? 'written' : 'exists'));
    },

    async head(name, signal) {
      assertObjectName(name);
      const found = await use(`look for ${name}`, signal, () => head(name, signal));
      return found === null ? null : { bytes: found.ContentLength ?? 0 };
    },

    async get(name, range, signal) {
      assertObjectName(name);
      assertRange(range);
      return use(`read ${name}`, signal, async () => {
        const body = await open(name, range, signal);
        return body === null ? null : collect(body);
      });
    },

    read,

    async *list(prefix, signal) {
      assertObjectPrefix(prefix);
      let token: string | undefined;
      do {
        const from = token === undefined ? {} : { ContinuationToken: token };
        const page = await use(`list ${prefix}`, signal, () =>
          client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, ...from }), abortable(signal)),
        );
        for (const { Key, Size } of page.Contents ?? []) yield { name: Key ?? '', bytes: Size ?? 0 };
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    async *listFolders(prefix, signal) {
      assertObjectPrefix(prefix);
      let token: string | undefined;
      do {
        const from = token === undefined ? {} : { ContinuationToken: token };
        const page = await use(`list the folders of ${prefix}`, signal, () =>
          client.send(new ListObjectsV2Command({ Bucket, Prefix: prefix, Delimiter: '/', ...from }), abortable(signal)),
        );
        for (const { Prefix } of page.CommonPrefixes ?? []) yield Prefix ?? '';
        token = page.IsTruncated ? page.NextContinuationToken : undefined;
      } while (token !== undefined);
    },

    async delete(name, signal) {
      assertObjectName(name);
      await use(`delete ${name}`, signal, () =>
        client.send(new DeleteObjectCommand({ Bucket, Key: name }), abortable(signal)),
      );
    },

    async beginUpload(name, signal) {
      assertObjectName(name);
      return use(`begin an upload of ${name}`, signal, async () => {
        const { UploadId } = await client.send(
          new CreateMultipartUploadCommand({ Bucket, Key: name }),
          abortable(signal),
        );
        if (UploadId === undefined) throw new Error('its answer has no UploadId');
        return UploadId as UploadToken;
      });
    },

    async writePart(name, token, part, bytes, signal) {
      assertObjectName(name);
      assertPart(part);
      const upload = { Bucket, Key: name, UploadId: token, PartNumber: part, Body: bytes };
      await use(`write part ${part} of ${name}`, signal, () =>
        client.send(new UploadPartCommand(upload), abortable(signal)),
      );
    },

    async listParts(name, token, signal) {
      assertObjectName(name);
      const parts = await use(`list the parts of ${name}`, signal, () => listParts(name, token, signal));
      return parts === null ? null : storedParts(parts);
    },

    async completeUpload(name, token, signal) {
      assertObjectName(name);
      return use(`complete ${name}`, signal, () => complete(name, token, signal));
    },

    async abortUpload(name, token, signal) {
      assertObjectName(name);
      await use(`abort the upload of ${name}`, signal, async () => {
        try {
          await client.send(new AbortMultipartUploadCommand({ Bucket, Key: name, UploadId: token }), abortable(signal));
        } catch (error) {
          if (!isAnswer(error, ...UNKNOWN_UPLOAD)) throw error;
        }
      });
    },

    checkReady: () =>
      use('show that it is ready', undefined, async () => {
        await checkBucket(client, Bucket);
        if (conditionalWritesHold) return;
        await putNew(PROBE_NAME, new Uint8Array(0), undefined);
        if (await putNew(PROBE_NAME, new Uint8Array(0), undefined))
          throw new ObjectStoreFault(
            `bucket ${Bucket} let ${PROBE_NAME} be written twice although the second write said "If-None-Match: *", so two writers could each publish a round; use an S3 that has conditional writes`,
          );
        conditionalWritesHold = true;
      }),

    async close() {
      client.destroy();
    },
  };
}

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

function openClient(options: S3ObjectStoreOptions): S3Client {
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

/** HEAD has no body that could say why, so its bare status gets the words. */
async function checkBucket(client: S3Client, bucket: string): Promise<void> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (!isAnswer(error, 404)) throw error;
    throw new ObjectStoreFault(`there is no bucket ${bucket}; create it, or correct its name`, { cause: error });
  }
}

interface Body {
  readonly pieces: AsyncIterable<Uint8Array>;
  readonly bytes: number;
}

const emptyBody = (): Body => ({ pieces: (async function* () {})(), bytes: 0 });

async function collect({ pieces, bytes }: Body): Promise<Uint8Array> {
  const whole = new Uint8Array(bytes);
  let filled = 0;
  for await (const piece of pieces) {
    whole.set(piece, filled);
    filled += piece.length;
  }
  if (filled !== bytes) throw new Error(`${bytes - filled} bytes of ${bytes} did not come`);
  return whole;
}
