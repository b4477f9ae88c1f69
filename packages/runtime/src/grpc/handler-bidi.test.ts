import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { UploadUpdateRequest, UploadUpdateResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { refuse } from '@flexlora/core';
import {
  callAbort,
  failureOfCall,
  type Handlers,
  overBoth,
  uploadChunk,
  type WithService,
} from './testing/served-transfer.ts';

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
