import { once } from 'node:events';
import { connect } from 'node:http2';
import { TransferServiceClient } from '@flexlora/contracts/transfer';
import {
  DownloadAdapterRequest,
  type DownloadAdapterResponse,
  TransferServiceClient as GeneratedClient,
  type UploadUpdateRequest,
  type UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { connectClient } from '@flexlora/runtime';
import { ChannelCredentials, type ClientDuplexStream } from '@grpc/grpc-js';
import { CHUNK_BYTES, type Direction, type Way, WINDOW_BYTES } from './transfer-case.ts';

export interface Peer {
  readonly port: number;
  /** PEM of who signed the server's certificate; null speaks plain text. */
  readonly ca: string | null;
}

/** Moves bytes by a connection of its own, in whole chunks, and returns how many arrived. */
export function moveBytes(way: Way, direction: Direction, bytes: number, peer: Peer): Promise<number> {
  const chunks = Math.ceil(bytes / CHUNK_BYTES);
  if (way === 'raw') return moveRaw(direction, chunks, peer);
  const client = way === 'stock' ? stockClient(peer) : ownClient(peer);
  const moved = direction === 'up' ? upload(client.uploadUpdate(), chunks) : download(client, chunks);
  return moved.finally(() => client.close());
}

const stockClient = ({ port, ca }: Peer): GeneratedClient =>
  new GeneratedClient(
    `localhost:${port}`,
    ca === null ? ChannelCredentials.createInsecure() : ChannelCredentials.createSsl(Buffer.from(ca)),
  );
const ownClient = ({ port, ca }: Peer): TransferServiceClient =>
  connectClient(TransferServiceClient, {
    target: `localhost:${port}`,
    tls: ca === null ? null : { ca, certificate: null, key: null },
  });

const chunk = Buffer.alloc(CHUNK_BYTES, 0xa5);

async function upload(
  stream: ClientDuplexStream<UploadUpdateRequest, UploadUpdateResponse>,
  chunks: number,
): Promise<number> {
  const answered = (async () => {
    let arrived = 0;
    for await (const { durableOffset } of stream as AsyncIterable<UploadUpdateResponse>) arrived = durableOffset;
    return arrived;
  })();
  for (let n = 0; n < chunks; n += 1) {
    const value = { offset: n * CHUNK_BYTES, data: chunk };
    if (!stream.write({ body: { $case: 'chunk', value } })) await once(stream, 'drain');
  }
  stream.end();
  return answered;
}

async function download(client: GeneratedClient, chunks: number): Promise<number> {
  let arrived = 0;
  const stream = client.downloadAdapter(DownloadAdapterRequest.fromPartial({ version: chunks }));
  for await (const { body } of stream as AsyncIterable<DownloadAdapterResponse>)
    if (body?.$case === 'chunk') arrived += body.value.data.byteLength;
  return arrived;
}

async function moveRaw(direction: Direction, chunks: number, { port, ca }: Peer): Promise<number> {
  const session = connect(ca === null ? `http://localhost:${port}` : `https://localhost:${port}`, {
    settings: { initialWindowSize: WINDOW_BYTES },
    ...(ca !== null && { ca }),
  });
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
