import { once } from 'node:events';
import { connect } from 'node:http2';
import {
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { allocateChunk, TransferServiceClient } from '@flexlora/contracts/transfer';
import {
  DownloadAdapterRequest,
  type DownloadAdapterResponse,
  TransferServiceClient as GeneratedClient,
  UploadStart,
  type UploadUpdateRequest,
  type UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { bytesPassed, callUnary, connectClient, crc32c } from '@flexlora/runtime';
import { ChannelCredentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { makeUpdate, RANKS } from './made-update.ts';
import { SOURCE_OBJECT, stockS3 } from './s3-place.ts';
import { CHUNK_BYTES, type ClientOrder, type S3Place, WINDOW_BYTES } from './transfer-case.ts';

/** One transfer at a time, each by a connection of its own; any number together. */
export interface Mover {
  /** Of one transfer. */
  readonly bytes: number;
  /** Returns how many arrived. */
  move(): Promise<number>;
}

export async function moverOf(order: ClientOrder): Promise<Mover> {
  const { way, direction, bytesEach, s3 } = order;
  if (s3 === null) return sinkMover(order);
  if (direction === 'up') {
    const update = makeUpdate(bytesEach);
    const bytes = update.file.byteLength;
    if (way === 'direct') return { bytes, move: () => uploadDirectly(s3, update.file) };
    if (way === 'stock') return { bytes, move: () => withClient(stock(order), (means) => upload(means, update.file)) };
    return { bytes, move: () => withClient(own(order), (means) => uploadUpdate(means, update)) };
  }
  if (way === 'direct') return { bytes: bytesEach, move: () => downloadDirectly(s3) };
  const means = way === 'stock' ? stock : own;
  return { bytes: bytesEach, move: () => withClient(means(order), (each) => download(each, 0)) };
}

function sinkMover(order: ClientOrder): Mover {
  const { way, direction, bytesEach: bytes } = order;
  if (way === 'raw') return { bytes, move: () => moveRaw(order) };
  const means = way === 'stock' ? stock : own;
  const file = Buffer.alloc(direction === 'up' ? bytes : 0, 0xa5);
  return {
    bytes,
    move: () =>
      withClient(means(order), (each) =>
        direction === 'up' ? upload(each, file) : download(each, bytes / CHUNK_BYTES),
      ),
  };
}

/** By whose means bytes go over gRPC. */
interface Means {
  readonly client: GeneratedClient;
  readonly chunkOf: (file: Buffer, offset: number) => { readonly data: Buffer; readonly crc32c: number | undefined };
  readonly passed: (bytes: number) => void;
}

const withClient = <T>(means: Means, use: (means: Means) => Promise<T>): Promise<T> =>
  use(means).finally(() => means.client.close());

const stock = ({ port, ca }: ClientOrder): Means => ({
  client: new GeneratedClient(
    `localhost:${port}`,
    ca === null ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(Buffer.from(ca)),
    // As agents on machines of their own have it.
    { 'grpc.use_local_subchannel_pool': 1 },
  ),
  chunkOf: (file, offset) => ({ data: file.subarray(offset, offset + CHUNK_BYTES), crc32c: undefined }),
  passed: () => {},
});

const own = ({ port, ca }: ClientOrder): Means => ({
  client: connectClient(TransferServiceClient, {
    target: `localhost:${port}`,
    tls: ca === null ? null : { ca, certificate: null, key: null },
    sharing: 'none',
  }),
  chunkOf: (file, offset) => {
    const data = allocateChunk(Math.min(CHUNK_BYTES, file.byteLength - offset));
    file.copy(data, 0, offset);
    return { data, crc32c: crc32c(data) };
  },
  passed: bytesPassed,
});

async function upload(means: Means, file: Buffer, start: UploadStart | null = null): Promise<number> {
  const { client, chunkOf, passed } = means;
  const stream: ClientDuplexStream<UploadUpdateRequest, UploadUpdateResponse> = client.uploadUpdate();
  const answered = (async () => {
    let last: UploadUpdateResponse = { durableOffset: 0 };
    for await (const answer of stream as AsyncIterable<UploadUpdateResponse>) last = answer;
    return last;
  })();
  // What breaks the stream is thrown where it is written to.
  answered.catch(() => {});
  if (start !== null) stream.write({ body: { $case: 'start', value: start } });
  for (let offset = 0; offset < file.byteLength; offset += CHUNK_BYTES) {
    const value = { offset, ...chunkOf(file, offset) };
    if (!stream.write({ body: { $case: 'chunk', value } })) await once(stream, 'drain');
    passed(value.data.byteLength);
  }
  stream.end();
  const { durableOffset, receipt } = await answered;
  if (start !== null && receipt === undefined) throw new Error('the update was not committed');
  return durableOffset;
}

let agents = 0;

/** As an agent does: opened, streamed, committed. */
async function uploadUpdate(means: Means, { file, sha256 }: ReturnType<typeof makeUpdate>): Promise<number> {
  agents += 1;
  const which = { runId: 'bench', round: 1, agentId: `agent-${process.pid}-${agents}` };
  const declared = { ...which, bytes: file.byteLength, sha256, samples: 1 };
  const { client } = means;
  const { uploadId } = await callUnary(client, client.openUpload, declared, { deadlineMs: 60_000 });
  return upload(means, file, UploadStart.fromPartial({ ...which, uploadId, offset: 0, commit: true }));
}

async function download({ client, passed }: Means, chunks: number): Promise<number> {
  let arrived = 0;
  const request = DownloadAdapterRequest.fromPartial({ runId: 'bench', version: chunks, ranks: RANKS });
  for await (const { body } of client.downloadAdapter(request) as AsyncIterable<DownloadAdapterResponse>) {
    if (body?.$case !== 'chunk') continue;
    arrived += body.value.data.byteLength;
    passed(body.value.data.byteLength);
  }
  return arrived;
}

const DIRECT_PART_BYTES = 16 << 20;
let objects = 0;

/** Part after part, as one agent would. */
async function uploadDirectly(place: S3Place, file: Buffer): Promise<number> {
  const client = stockS3(place);
  objects += 1;
  const object = { Bucket: place.bucket, Key: `bench/direct-${objects}` };
  try {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand(object));
    const Parts: CompletedPart[] = [];
    for (let at = 0; at < file.byteLength; at += DIRECT_PART_BYTES) {
      const part = { ...object, UploadId, PartNumber: Parts.length + 1 };
      const Body = file.subarray(at, at + DIRECT_PART_BYTES);
      const { ETag } = await client.send(new UploadPartCommand({ ...part, Body }));
      Parts.push({ ETag, PartNumber: part.PartNumber });
    }
    await client.send(new CompleteMultipartUploadCommand({ ...object, UploadId, MultipartUpload: { Parts } }));
    return file.byteLength;
  } finally {
    client.destroy();
  }
}

async function downloadDirectly(place: S3Place): Promise<number> {
  const client = stockS3(place);
  try {
    const { Body } = await client.send(new GetObjectCommand({ Bucket: place.bucket, Key: SOURCE_OBJECT }));
    let arrived = 0;
    for await (const piece of Body as AsyncIterable<Buffer>) arrived += piece.byteLength;
    return arrived;
  } finally {
    client.destroy();
  }
}

async function moveRaw({ direction, bytesEach, port, ca }: ClientOrder): Promise<number> {
  const chunks = bytesEach / CHUNK_BYTES;
  const session = connect(ca === null ? `http://localhost:${port}` : `https://localhost:${port}`, {
    settings: { initialWindowSize: WINDOW_BYTES },
    ...(ca !== null && { ca }),
  });
  const chunk = Buffer.alloc(CHUNK_BYTES, 0xa5);
  try {
    await once(session, 'remoteSettings');
    session.setLocalWindowSize(WINDOW_BYTES);
    const stream = session.request({ ':method': 'POST', 'x-chunks': direction === 'down' ? chunks : 0 });
    const responded = once(stream, 'response');
    if (direction === 'up') for (let n = 0; n < chunks; n += 1) if (!stream.write(chunk)) await once(stream, 'drain');
    stream.end();
    const [headers] = await responded;
    let arrived = 0;
    for await (const data of stream as AsyncIterable<Buffer>) arrived += data.byteLength;
    return direction === 'up' ? Number(headers['x-bytes']) : arrived;
  } finally {
    session.close();
  }
}
