import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  ChannelCredentials,
  type ClientWritableStream,
  type handleClientStreamingCall,
  makeClientConstructor,
  type requestCallback,
} from '@grpc/grpc-js';
import fc from 'fast-check';
import { silentLogger } from '../logger.ts';
import { createMessageDecoder } from './message-decoder.ts';
import { giveBackMemory } from './message-memory.ts';
import { createGrpcServer } from './server.ts';

const BYTES_MAX = 1 << 20;

function framed(content: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(content.byteLength, 1);
  return Buffer.concat([prefix, content]);
}

test('messages come out whole, however their bytes are cut', () => {
  const contents = fc.array(
    fc
      .oneof(fc.constant(0), fc.nat(40), fc.integer({ min: 65_000, max: 140_000 }))
      .map((bytes) => Buffer.alloc(bytes, bytes)),
    { maxLength: 6 },
  );
  fc.assert(
    fc.property(
      contents,
      fc.array(fc.integer({ min: 1, max: 50_000 }), { minLength: 1, maxLength: 9 }),
      (sent, cuts) => {
        const decoder = createMessageDecoder(BYTES_MAX);
        const stream = Buffer.concat(sent.map(framed));
        let came = 0;
        for (let at = 0, cut = 0; at < stream.byteLength; cut++) {
          const end = at + cuts[cut % cuts.length]!;
          for (const message of decoder.write(stream.subarray(at, end))) {
            assert.ok(message.equals(framed(sent[came]!)));
            came += 1;
            // The next message may take its place.
            giveBackMemory(message.subarray(5));
          }
          at = end;
        }
        assert.equal(came, sent.length);
      },
    ),
    { numRuns: 200 },
  );
});

test('a message above the limit is refused by its length, before its bytes come', () => {
  const decoder = createMessageDecoder(10);
  assert.equal(decoder.write(framed(Buffer.alloc(10))).length, 1);
  const tooLong = framed(Buffer.alloc(11)).subarray(0, 5);
  assert.throws(() => decoder.write(tooLong), /has 11 bytes; allowed: at most 10/);
});

test('memory that was given back is taken again, once, and what was not is left alone', () => {
  const decoder = createMessageDecoder(BYTES_MAX);
  const content = Buffer.alloc(200_000, 1);
  const next = (): Buffer => decoder.write(framed(content))[0]!;
  const first = next();
  assert.notEqual(next().buffer, first.buffer);
  giveBackMemory(first.subarray(5));
  giveBackMemory(first.subarray(5));
  giveBackMemory(content);
  const [third, fourth] = [next(), next()];
  assert.equal(third.buffer, first.buffer);
  assert.notEqual(fourth.buffer, first.buffer);
  assert.notEqual(fourth.buffer, content.buffer);
});

const identity = (bytes: Buffer): Buffer => bytes;
const definition = {
  send: {
    path: '/test.Bytes/Send',
    requestStream: true,
    responseStream: false,
    requestSerialize: identity,
    requestDeserialize: identity,
    responseSerialize: identity,
    responseDeserialize: identity,
  },
} as const;

test('requests of a server are in memory that is taken again', async () => {
  const memories: unknown[] = [];
  const send: handleClientStreamingCall<Buffer, Buffer> = async (call, callback) => {
    for await (const message of call as AsyncIterable<Buffer>) {
      memories.push(message.buffer);
      giveBackMemory(message);
    }
    callback(null, Buffer.from('done'));
  };
  const server = await createGrpcServer(
    { host: '127.0.0.1', port: 0, services: [{ definition, implementation: { send } }], tls: null, reflection: null },
    { logger: silentLogger },
  );
  const Sender = makeClientConstructor(definition, 'Bytes');
  const client = new Sender(`127.0.0.1:${server.port}`, ChannelCredentials.createInsecure());
  try {
    await new Promise<void>((resolve, reject) => {
      const call = (client['send'] as (done: requestCallback<Buffer>) => ClientWritableStream<Buffer>).call(
        client,
        (error) => (error === null ? resolve() : reject(error)),
      );
      for (let n = 0; n < 20; n++) call.write(Buffer.alloc(333_333));
      call.end();
    });
  } finally {
    client.close();
    await server.stop(0);
  }
  assert.equal(memories.length, 20);
  assert.ok(
    new Set(memories).size < 10,
    'where grpc-js has no place for this decoder, its own takes new memory each time',
  );
});
