import assert from 'node:assert/strict';
import { once } from 'node:events';
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
import { Fault, REFUSAL_REASONS, type RefusalReason, refuse } from '@flexlora/core';
import { type ServiceError, status } from '@grpc/grpc-js';
import { systemClock } from '../clock.ts';
import { silentLogger } from '../logger.ts';
import { createServiceMetrics } from '../metrics.ts';
import { callUnary, cancelOn } from './client.ts';
import {
  type BidiHandler,
  createHandlerAdapter,
  READER_IDLE_MS_MAX,
  type ServerStreamHandler,
  type UnaryHandler,
} from './handler.ts';
import { createInMemoryNetwork } from './in-memory/network.ts';
import { failureOf } from './status.ts';
import { grpcTransport, type Transport } from './transport.ts';

const DEADLINE_MS = 30_000;

/** The real transfer service, with the handlers of one test behind it: three methods of three types are enough. */
interface Handlers {
  readonly abortUpload: UnaryHandler<AbortUploadRequest, AbortUploadResponse>;
  readonly downloadAdapter: ServerStreamHandler<DownloadAdapterRequest, DownloadAdapterResponse>;
  readonly uploadUpdate: BidiHandler<UploadUpdateRequest, UploadUpdateResponse>;
}

const notServed = async (): Promise<never> => {
  throw new Error('this test does not serve this method');
};

type WithService = (
  handlers: Partial<Handlers>,
  body: (client: TransferServiceClient, metrics: () => Promise<string>) => Promise<void>,
  options?: { readonly readerIdleMs?: number; readonly onRead?: () => void },
) => Promise<void>;

/** What handlers do is the same over sockets and within one process. */
function overBoth(behaviour: string, body: (withService: WithService) => Promise<void>): void {
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

const callAbort = (client: TransferServiceClient, signal?: AbortSignal): Promise<AbortUploadResponse> =>
  callUnary(client, client.abortUpload, AbortUploadRequest.fromPartial({ runId: 'r' }), {
    deadlineMs: DEADLINE_MS,
    ...(signal && { signal }),
  });

const failureOfCall = async (call: Promise<unknown>) =>
  call.then(
    () => assert.fail('the call succeeded'),
    (error: unknown) => failureOf(error),
  );

const download = (client: TransferServiceClient) => client.downloadAdapter(DownloadAdapterRequest.fromPartial({}));
const chunk = (offset: number, bytes: number): DownloadAdapterResponse => ({
  body: { $case: 'chunk', value: { offset, data: Buffer.alloc(bytes) } },
});
const offsetOf = ({ body }: DownloadAdapterResponse): number => (body?.$case === 'chunk' ? body.value.offset : -1);
const uploadChunk = (offset: number): UploadUpdateRequest => ({
  body: { $case: 'chunk', value: { offset, data: Buffer.alloc(8) } },
});

overBoth('a unary handler answers', async (withService) => {
  const asked: string[] = [];
  const abortUpload: Handlers['abortUpload'] = async ({ runId }) => {
    asked.push(runId);
    return {};
  };
  await withService({ abortUpload }, async (client) => {
    assert.deepEqual(await callAbort(client), {});
    assert.deepEqual(asked, ['r']);
  });
});

overBoth('every refusal travels over the wire and reads back as it was', async (withService) => {
  const reasons = Object.keys(REFUSAL_REASONS) as RefusalReason[];
  let next = 0;
  const refusal = () => refuse(reasons[next]!, `α is “${next}” – 100 %; allowed: 1…4`);
  await withService({ abortUpload: async () => refusal() }, async (client) => {
    for (next = 0; next < reasons.length; next += 1)
      assert.deepEqual(await failureOfCall(callAbort(client)), refusal());
  });
});

overBoth('a refusal longer than a trailer may be still arrives as a refusal', async (withService) => {
  const abortUpload: Handlers['abortUpload'] = async () => refuse('badSpec', 'modules[0] is wrong; '.repeat(10_000));
  await withService({ abortUpload }, async (client) => {
    const failure = await failureOfCall(callAbort(client));
    assert.ok(failure.kind === 'refusal' && failure.reason === 'badSpec', JSON.stringify(failure));
  });
});

overBoth('a request that cannot be read is refused, whatever the type of its method', async (withService) => {
  const uploadUpdate: Handlers['uploadUpdate'] = async function* (requests) {
    for await (const _request of requests) yield { durableOffset: 8 };
    return undefined;
  };
  const downloadAdapter: Handlers['downloadAdapter'] = async function* () {
    yield chunk(0, 8);
    return undefined;
  };
  await withService({ abortUpload: async () => ({}), uploadUpdate, downloadAdapter }, async (client) => {
    const { abortUpload, uploadUpdate: upload, downloadAdapter: download } = TransferServiceService;
    const asItIs = (bytes: Buffer): Buffer => bytes;
    // A text that is longer than its message.
    const unreadable = Buffer.of(0x0a, 0x7f);
    const assertRefused = async (call: Promise<unknown>, method: string): Promise<void> => {
      const failure = await failureOfCall(call);
      assert.ok(failure.kind === 'refusal' && failure.reason === 'badMessage', JSON.stringify(failure));
      assert.match(failure.message, new RegExp(`/${method} cannot read its request .*; allowed: `));
    };
    const answered = new Promise((resolve, reject) =>
      client.makeUnaryRequest(abortUpload.path, asItIs, asItIs, unreadable, (error, response) =>
        error === null ? resolve(response) : reject(error),
      ),
    );
    await assertRefused(answered, 'AbortUpload');
    const served = client.makeServerStreamRequest(download.path, asItIs, asItIs, unreadable);
    await assertRefused(served.toArray(), 'DownloadAdapter');
    const streamed = client.makeBidiStreamRequest(upload.path, asItIs, asItIs);
    streamed.write(upload.requestSerialize(uploadChunk(0)));
    streamed.write(unreadable);
    await assertRefused(streamed.toArray(), 'UploadUpdate');
  });
});

overBoth('a fault is unavailable with a time to wait; a bug is told without its words', async (withService) => {
  const errors = [new Fault('Redis does not answer'), new Error('secret')];
  const abortUpload: Handlers['abortUpload'] = async () => {
    throw errors.shift();
  };
  await withService({ abortUpload }, async (client) => {
    assert.deepEqual(await failureOfCall(callAbort(client)), {
      kind: 'unavailable',
      message: 'Redis does not answer',
      retryMs: 1_000,
    });
    const bug = await callAbort(client).catch((error: ServiceError) => error);
    assert.ok('code' in bug && bug.code === status.INTERNAL);
    assert.doesNotMatch(bug.details, /secret/);
  });
});

overBoth('a handler that throws before its promise is answered like any other', async (withService) => {
  const abortUpload: Handlers['abortUpload'] = () => {
    throw new Fault('at once');
  };
  await withService({ abortUpload }, async (client) => {
    assert.equal((await failureOfCall(callAbort(client))).message, 'at once');
  });
});

overBoth('a caller that gives up aborts the signal of the handler', async (withService) => {
  const began = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<unknown>();
  const abortUpload: Handlers['abortUpload'] = async (_request, { signal }) => {
    began.resolve();
    await once(signal, 'abort');
    ended.resolve(signal.reason);
    return {};
  };
  await withService({ abortUpload }, async (client) => {
    const giveUp = new AbortController();
    const call = callAbort(client, giveUp.signal);
    await began.promise;
    giveUp.abort(new Error('enough'));
    await assert.rejects(call, { message: 'enough' });
    assert.equal(((await ended.promise) as Error).message, 'the caller gave up');
  });
});

overBoth('a server stream sends everything in order, and its refusal after what was sent', async (withService) => {
  async function* downloadAdapter(): ReturnType<Handlers['downloadAdapter']> {
    for (let at = 0; at < 100; at += 1) yield chunk(at, 1);
    return refuse('notPublished', 'version 9 is not published; the last is 8');
  }
  await withService({ downloadAdapter }, async (client) => {
    const got: number[] = [];
    const read = async (): Promise<void> => {
      for await (const response of download(client)) got.push(offsetOf(response));
    };
    assert.deepEqual(await failureOfCall(read()), refuse('notPublished', 'version 9 is not published; the last is 8'));
    assert.deepEqual(
      got,
      Array.from({ length: 100 }, (_, at) => at),
    );
  });
});

overBoth('a reader that does not read bounds what the generator makes', async (withService) => {
  const CHUNK_BYTES = 1 << 20;
  const CHUNKS = 200;
  /** The client's window, sixteen messages in the server's queue, and what lies between. */
  const AHEAD_MAX = 48;
  let made = 0;
  async function* downloadAdapter(): ReturnType<Handlers['downloadAdapter']> {
    for (; made < CHUNKS; made += 1) yield chunk(made * CHUNK_BYTES, CHUNK_BYTES);
    return undefined;
  }
  await withService({ downloadAdapter }, async (client) => {
    let read = 0;
    let mostAhead = 0;
    for await (const response of download(client)) {
      assert.equal(offsetOf(response), read * CHUNK_BYTES);
      read += 1;
      // The generator runs as far as it is let while this side does other things.
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      mostAhead = Math.max(mostAhead, made - read);
    }
    assert.equal(read, CHUNKS);
    assert.ok(mostAhead <= AHEAD_MAX, `${mostAhead} chunks were made ahead of the reader, of ${CHUNKS}`);
  });
});

overBoth('a reader that goes away ends the generator, also while it waits to be read', async (withService) => {
  const ended = Promise.withResolvers<void>();
  async function* downloadAdapter(): ReturnType<Handlers['downloadAdapter']> {
    try {
      for (let at = 0; ; at += 1) yield chunk(at, 1 << 20);
    } finally {
      ended.resolve();
    }
  }
  await withService({ downloadAdapter }, async (client, metrics) => {
    const leave = new AbortController();
    const stream = cancelOn(download(client), leave.signal);
    const failed = once(stream, 'error');
    await once(stream, 'readable');
    leave.abort();
    assert.equal(((await failed)[0] as ServiceError).code, status.CANCELLED);
    await ended.promise;
    await new Promise(setImmediate);
    assert.match(await metrics(), /handled_total\{.*DownloadAdapter.*grpc_code="CANCELLED"\} 1/);
  });
});

overBoth(
  'a reader that stays and takes nothing ends the generator after the limit, and is told',
  async (withService) => {
    const ended = Promise.withResolvers<void>();
    async function* downloadAdapter(): ReturnType<Handlers['downloadAdapter']> {
      try {
        for (let at = 0; ; at += 1) yield chunk(at, 1 << 20);
      } finally {
        ended.resolve();
      }
    }
    const body = async (client: TransferServiceClient, metrics: () => Promise<string>): Promise<void> => {
      const stream = download(client);
      await once(stream, 'readable');
      await ended.promise;
      await new Promise(setImmediate);
      assert.match(await metrics(), /handled_total\{.*DownloadAdapter.*grpc_code="DEADLINE_EXCEEDED"\} 1/);
      const failure = await failureOfCall(stream.forEach(() => {}));
      assert.ok(failure.kind === 'unavailable', 'a reader may come back');
      assert.match(failure.message, /the reader took nothing for 50 ms/);
    };
    await withService({ downloadAdapter }, body, { readerIdleMs: 50 });
  },
);

overBoth('a bidi handler answers while it reads', async (withService) => {
  async function* uploadUpdate(requests: AsyncIterable<UploadUpdateRequest>): ReturnType<Handlers['uploadUpdate']> {
    for await (const { body } of requests)
      if (body?.$case === 'chunk') yield { durableOffset: body.value.offset + body.value.data.length };
    return undefined;
  }
  await withService({ uploadUpdate }, async (client) => {
    const stream = client.uploadUpdate();
    const answers = stream[Symbol.asyncIterator]();
    for (let at = 0; at < 4; at += 1) {
      stream.write(uploadChunk(at * 8));
      assert.equal((await answers.next()).value?.durableOffset, (at + 1) * 8);
    }
    stream.end();
    assert.equal((await answers.next()).done, true);
  });
});

overBoth('a bidi call reads no further ahead of its handler than two messages', async (withService) => {
  const letGo = Promise.withResolvers<void>();
  let read = 0;
  async function* uploadUpdate(requests: AsyncIterable<UploadUpdateRequest>): ReturnType<Handlers['uploadUpdate']> {
    let handled = 0;
    for await (const _ of requests) {
      handled += 1;
      if (handled === 1) yield { durableOffset: 0 };
      if (handled === 1) await letGo.promise;
      assert.ok(read <= handled + 2, `${read} were read, ${handled} handled`);
    }
    yield { durableOffset: handled };
    return undefined;
  }
  const onRead = (): void => {
    read += 1;
  };
  const body: Parameters<WithService>[1] = async (client) => {
    const stream = client.uploadUpdate();
    const answers = stream[Symbol.asyncIterator]();
    for (let at = 0; at < 20; at += 1) stream.write(uploadChunk(at * 8));
    stream.end();
    await answers.next();
    // What was sent before the answer to another call has been read before it, if it was to be.
    await failureOfCall(callAbort(client));
    assert.ok(read <= 3, `${read} were read`);
    letGo.resolve();
    assert.equal((await answers.next()).value?.durableOffset, 20);
  };
  await withService({ uploadUpdate }, body, { onRead });
});

overBoth('a bidi handler that refuses before it has read everything is heard', async (withService) => {
  async function* uploadUpdate(requests: AsyncIterable<UploadUpdateRequest>): ReturnType<Handlers['uploadUpdate']> {
    for await (const request of requests) {
      yield { durableOffset: request.body?.$case === 'chunk' ? 8 : 0 };
      return refuse('tooLarge', 'got 9 bytes; allowed: 8');
    }
    return undefined;
  }
  await withService({ uploadUpdate }, async (client, metrics) => {
    const stream = client.uploadUpdate();
    for (let at = 0; at < 50; at += 1) stream.write(uploadChunk(at * 8));
    const answers: UploadUpdateResponse[] = [];
    const read = async (): Promise<void> => {
      for await (const answer of stream) answers.push(answer);
    };
    assert.deepEqual(await failureOfCall(read()), refuse('tooLarge', 'got 9 bytes; allowed: 8'));
    assert.deepEqual(
      answers.map(({ durableOffset }) => durableOffset),
      [8],
    );
    assert.match(await metrics(), /handled_total\{.*UploadUpdate.*bidi_stream.*INVALID_ARGUMENT"\} 1/);
  });
});

overBoth('a writer that goes away ends a bidi handler that waits for more', async (withService) => {
  const began = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();
  async function* uploadUpdate(requests: AsyncIterable<UploadUpdateRequest>): ReturnType<Handlers['uploadUpdate']> {
    try {
      for await (const { body } of requests) {
        began.resolve();
        if (body === undefined) yield { durableOffset: 0 };
      }
    } finally {
      ended.resolve();
    }
    return undefined;
  }
  await withService({ uploadUpdate }, async (client) => {
    const stream = client.uploadUpdate();
    const failed = once(stream, 'error');
    stream.write(uploadChunk(0));
    await began.promise;
    stream.cancel();
    await failed;
    await ended.promise;
  });
});

overBoth('calls are counted by method, type and code', async (withService) => {
  const answers = [{}, refuse('late', 'the round is closed'), {}];
  await withService({ abortUpload: async () => answers.shift()! }, async (client, metrics) => {
    await callAbort(client);
    await failureOfCall(callAbort(client));
    await callAbort(client);
    const labels = 'grpc_service="flexlora.transfer.v1.TransferService",grpc_method="AbortUpload",grpc_type="unary"';
    const text = await metrics();
    assert.ok(text.includes(`grpc_server_started_total{${labels}} 3`), text);
    assert.ok(text.includes(`grpc_server_handled_total{${labels},grpc_code="OK"} 2`), text);
    assert.ok(text.includes(`grpc_server_handled_total{${labels},grpc_code="FAILED_PRECONDITION"} 1`), text);
    assert.ok(text.includes(`grpc_server_handling_seconds_count{${labels}} 3`), text);
  });
});
