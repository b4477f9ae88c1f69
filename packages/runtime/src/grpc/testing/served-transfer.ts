import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  AbortUploadRequest,
  type AbortUploadResponse,
  DownloadAdapterRequest,
  type DownloadAdapterResponse,
  TransferServiceClient,
  TransferServiceService,
  type UploadUpdateRequest,
  type UploadUpdateResponse,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { systemClock } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import { createServiceMetrics } from '../../metrics.ts';
import { callUnary } from '../client.ts';
import {
  type BidiHandler,
  createHandlerAdapter,
  READER_IDLE_MS_MAX,
  type ServerStreamHandler,
  type UnaryHandler,
} from '../handler.ts';
import { createInMemoryNetwork } from '../in-memory/network.ts';
import { failureOf } from '../status.ts';
import { grpcTransport, type Transport } from '../transport.ts';

export const DEADLINE_MS = 30_000;

/** The real transfer service, with the handlers of one test behind it: three methods of three types are enough. */
export interface Handlers {
  readonly abortUpload: UnaryHandler<AbortUploadRequest, AbortUploadResponse>;
  readonly downloadAdapter: ServerStreamHandler<DownloadAdapterRequest, DownloadAdapterResponse>;
  readonly uploadUpdate: BidiHandler<UploadUpdateRequest, UploadUpdateResponse>;
}

const notServed = async (): Promise<never> => {
  throw new Error('this test does not serve this method');
};

export type WithService = (
  handlers: Partial<Handlers>,
  body: (client: TransferServiceClient, metrics: () => Promise<string>) => Promise<void>,
  options?: { readonly readerIdleMs?: number; readonly onRead?: () => void },
) => Promise<void>;

/** What handlers do is the same over sockets and within one process. */
export function overBoth(behaviour: string, body: (withService: WithService) => Promise<void>): void {
  test(`over sockets: ${behaviour}`, () => body(serviceOver(grpcTransport)));
  const network = createInMemoryNetwork({ clock: systemClock, random: () => 0 });
  test(`in memory: ${behaviour}`, () => body(serviceOver(network.host('127.0.0.1'))));
}

const serviceOver =
  (transport: Transport): WithService =>
  async (handlers, body, options = {}) => {
    const { registry, grpc } = createServiceMetrics();
    const adapter = createHandlerAdapter(
      { metrics: grpc, logger: silentLogger },
      { readerIdleMs: options.readerIdleMs ?? READER_IDLE_MS_MAX },
    );
    const implementation = {
      openUpload: adapter.unary(notServed),
      getUpload: adapter.unary(notServed),
      commitUpload: adapter.unary(notServed),
      abortUpload: adapter.unary(handlers.abortUpload ?? notServed),
      ...(handlers.downloadAdapter && { downloadAdapter: adapter.serverStream(handlers.downloadAdapter) }),
      ...(handlers.uploadUpdate && { uploadUpdate: adapter.bidi(handlers.uploadUpdate) }),
    };
    const { requestDeserialize } = TransferServiceService.uploadUpdate;
    const uploadUpdate = {
      ...TransferServiceService.uploadUpdate,
      requestDeserialize: (bytes: Buffer) => {
        options.onRead?.();
        return requestDeserialize(bytes);
      },
    };
    const services = [{ definition: { ...TransferServiceService, uploadUpdate }, implementation }];
    const server = await transport.serve(
      { host: '127.0.0.1', port: 0, services, tls: null, reflection: null },
      { logger: silentLogger },
    );
    const client = transport.connect(TransferServiceClient, { target: `127.0.0.1:${server.port}`, tls: null });
    try {
      await body(client, () => registry.metrics());
    } finally {
      client.close();
      await server.stop(0);
    }
  };

export const callAbort = (client: TransferServiceClient, signal?: AbortSignal): Promise<AbortUploadResponse> =>
  callUnary(client, client.abortUpload, AbortUploadRequest.fromPartial({ runId: 'r' }), {
    deadlineMs: DEADLINE_MS,
    ...(signal && { signal }),
  });

export const failureOfCall = async (call: Promise<unknown>) =>
  call.then(
    () => assert.fail('the call succeeded'),
    (error: unknown) => failureOf(error),
  );

export const download = (client: TransferServiceClient) =>
  client.downloadAdapter(DownloadAdapterRequest.fromPartial({}));
export const chunk = (offset: number, bytes: number): DownloadAdapterResponse => ({
  body: { $case: 'chunk', value: { offset, data: Buffer.alloc(bytes) } },
});
export const offsetOf = ({ body }: DownloadAdapterResponse): number =>
  body?.$case === 'chunk' ? body.value.offset : -1;
export const uploadChunk = (offset: number): UploadUpdateRequest => ({
  body: { $case: 'chunk', value: { offset, data: Buffer.alloc(8) } },
});
