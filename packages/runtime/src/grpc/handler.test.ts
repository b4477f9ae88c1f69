import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type TransferServiceClient, TransferServiceService } from '@flexlora/contracts/transfer/v1/transfer_service';
import { Fault, REFUSAL_REASONS, type RefusalReason, refuse } from '@flexlora/core';
import { type ServiceError, status } from '@grpc/grpc-js';
import { cancelOn } from './client.ts';
import {
  callAbort,
  chunk,
  download,
  failureOfCall,
  type Handlers,
  offsetOf,
  overBoth,
  uploadChunk,
} from './testing/served-transfer.ts';

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
