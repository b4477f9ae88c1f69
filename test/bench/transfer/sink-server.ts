import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { allocateChunk, TransferServiceService } from '@flexlora/contracts/transfer';
import type {
  DownloadAdapterRequest,
  DownloadAdapterResponse,
  UploadUpdateRequest,
  UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import {
  bytesPassed,
  collectForBytes,
  createHandlerAdapter,
  createServiceMetrics,
  silentLogger,
} from '@flexlora/runtime';
import type { ServerDuplexStream, ServerWritableStream, UntypedServiceImplementation } from '@grpc/grpc-js';
import { serveAsItComes, serveAsThePlatform } from './bench-server.ts';
import { answerOrders } from './child-program.ts';
import { CHUNK_BYTES, type ServerOrder, WINDOW_BYTES } from './transfer-case.ts';

// Takes what comes and keeps nothing, or sends as many chunks as the version that is asked for says.

const chunk = Buffer.alloc(CHUNK_BYTES, 0x5a);

async function serveRaw(tls: ServerOrder['tls']): Promise<number> {
  const settings = { initialWindowSize: WINDOW_BYTES };
  const server: Http2Server | Http2SecureServer =
    tls === null ? createServer({ settings }) : createSecureServer({ settings, cert: tls.certificate, key: tls.key });
  server.on('session', (session) => session.setLocalWindowSize(WINDOW_BYTES));
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks = Number(headers['x-chunks'] ?? 0);
    let bytes = 0;
    stream.on('data', (data: Buffer) => {
      bytes += data.byteLength;
    });
    stream.on('end', () => {
      stream.respond({ 'x-bytes': `${bytes}` });
      void send(chunks, (data) => stream.write(data), stream).then(() => stream.end());
    });
    stream.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function serveStock(tls: ServerOrder['tls']): Promise<number> {
  const uploadUpdate = (call: ServerDuplexStream<UploadUpdateRequest, UploadUpdateResponse>): void => {
    let bytes = 0;
    call.on('data', ({ body }: UploadUpdateRequest) => {
      if (body?.$case === 'chunk') bytes += body.value.data.byteLength;
    });
    call.on('end', () => {
      call.write({ durableOffset: bytes });
      call.end();
    });
    call.on('error', () => {});
  };
  const downloadAdapter = (call: ServerWritableStream<DownloadAdapterRequest, DownloadAdapterResponse>): void => {
    let offset = 0;
    const write = (data: Buffer): boolean => {
      const value = { offset, data };
      offset += data.byteLength;
      return call.write({ body: { $case: 'chunk', value } });
    };
    void send(call.request.version, write, call).then(() => call.end());
  };
  return serveAsItComes({ uploadUpdate, downloadAdapter }, tls);
}

async function serveOwn(tls: ServerOrder['tls']): Promise<number> {
  const adapter = createHandlerAdapter({ metrics: createServiceMetrics().grpc, logger: silentLogger });
  const implementation = {
    uploadUpdate: adapter.bidi<UploadUpdateRequest, UploadUpdateResponse>(async function* (requests) {
      let bytes = 0;
      for await (const { body } of requests) {
        if (body?.$case !== 'chunk') continue;
        bytes += body.value.data.byteLength;
        bytesPassed(body.value.data.byteLength);
      }
      yield { durableOffset: bytes };
      return undefined;
    }),
    downloadAdapter: adapter.serverStream<DownloadAdapterRequest, DownloadAdapterResponse>(async function* (request) {
      for (let n = 0; n < request.version; n += 1) {
        yield { body: { $case: 'chunk', value: { offset: n * CHUNK_BYTES, data: allocateChunk(CHUNK_BYTES) } } };
        bytesPassed(CHUNK_BYTES);
      }
      return undefined;
    }),
  } as unknown as UntypedServiceImplementation;
  return serveAsThePlatform({ definition: TransferServiceService, implementation }, tls);
}

async function send(
  chunks: number,
  write: (data: Buffer) => boolean,
  to: { once(event: 'drain' | 'close', listen: () => void): unknown },
): Promise<void> {
  for (let n = 0; n < chunks; n += 1)
    if (!write(chunk)) await new Promise<void>((resolve) => to.once('drain', resolve));
}

const { way, tls } = JSON.parse(process.argv[2] ?? '{}') as ServerOrder;
if (way === 'flexlora') collectForBytes();
answerOrders(await (way === 'raw' ? serveRaw(tls) : way === 'stock' ? serveStock(tls) : serveOwn(tls)));
