import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  ListPartsCommand,
  type Part,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { assertCompletable, assertPart, assertRange } from './limits.ts';
import { assertObjectName, assertObjectPrefix } from './object-name.ts';
import {
  type BegunUpload,
  type ByteRange,
  type ObjectStore,
  ObjectStoreFault,
  type PartTag,
  type StoredPart,
  type UploadToken,
} from './port.ts';
import { checkBucket, openClient, type S3ObjectStoreOptions, unsigned } from './s3-client.ts';
import { isAnswer, s3Fault, triesOf, UNKNOWN_UPLOAD } from './s3-fault.ts';

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

  async function* uploadsUnder(prefix: string, signal: AbortSignal | undefined): AsyncGenerator<BegunUpload> {
    let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } | null = {};
    while (marker !== null) {
      const from: typeof marker = marker;
      const page: ListMultipartUploadsCommandOutput = await use(`list the uploads of ${prefix}`, signal, () =>
        client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix, ...from }), abortable(signal)),
      );
      for (const { Key, UploadId } of page.Uploads ?? [])
        yield { name: Key ?? '', token: (UploadId ?? '') as UploadToken };
      const { NextKeyMarker: KeyMarker, NextUploadIdMarker: UploadIdMarker } = page;
      marker = page.IsTruncated && KeyMarker ? { KeyMarker, ...(UploadIdMarker && { UploadIdMarker }) } : null;
    }
  }

  const storedParts = (parts: readonly Part[]): readonly StoredPart[] =>
    parts.map(({ PartNumber, Size }) => ({ part: PartNumber ?? 0, bytes: Size ?? 0 }));

  /** False when the upload is unknown. Sizes of all parts, where they are known, tell whether an earlier try did it whose answer was lost. */
  async function complete(name: string, token: UploadToken, parts: readonly Part[], signal: AbortSignal | undefined) {
    const Parts = parts.map(({ PartNumber, ETag }) => ({ PartNumber, ETag }));
    try {
      await client.send(
        new CompleteMultipartUploadCommand({ Bucket, Key: name, UploadId: token, MultipartUpload: { Parts } }),
        abortable(signal),
      );
      return true;
    } catch (error) {
      if (!isAnswer(error, ...UNKNOWN_UPLOAD)) throw error;
      const bytes = parts.reduce((sum, { Size }) => sum + (Size ?? Number.NaN), 0);
      return triesOf(error) > 1 && (await head(name, signal))?.ContentLength === bytes;
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
      return use(`write part ${part} of ${name}`, signal, async () => {
        const { ETag } = await client.send(unsigned(new UploadPartCommand(upload)), abortable(signal));
        if (ETag === undefined) throw new Error('its answer has no ETag');
        return ETag as PartTag;
      });
    },

    async listParts(name, token, signal) {
      assertObjectName(name);
      const parts = await use(`list the parts of ${name}`, signal, () => listParts(name, token, signal));
      return parts === null ? null : storedParts(parts);
    },

    async completeUpload(name, token, signal) {
      assertObjectName(name);
      return use(`complete ${name}`, signal, async () => {
        const parts = await listParts(name, token, signal);
        if (parts === null) return false;
        assertCompletable(name, storedParts(parts));
        return complete(name, token, parts, signal);
      });
    },

    async completeWritten(name, token, tags, signal) {
      assertObjectName(name);
      return use(`complete ${name}`, signal, async () => {
        const parts = tags.map((ETag, i) => ({ PartNumber: i + 1, ETag }));
        try {
          return await complete(name, token, parts, signal);
        } catch (error) {
          if (isAnswer(error, 'InvalidPart')) return false;
          throw error;
        }
      });
    },

    async *listUploads(prefix, signal) {
      assertObjectPrefix(prefix);
      let found = 0;
      for await (const upload of uploadsUnder(prefix, signal)) {
        found += 1;
        yield upload;
      }
      if (found > 0) return;
      // MinIO takes the prefix for a whole name, and lists by none but the empty one.
      for await (const upload of uploadsUnder('', signal)) if (upload.name.startsWith(prefix)) yield upload;
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
