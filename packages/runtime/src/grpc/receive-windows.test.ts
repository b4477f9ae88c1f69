import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { Server } from '@grpc/grpc-js';
import { silentLogger } from '../logger.ts';
import { widenReceiveWindows, windowBytes } from './receive-windows.ts';
import { createGrpcServer, RECEIVE_WINDOWS } from './server.ts';

const WINDOWS = { leastBytes: 1_000, nearBytes: 2_000, mostBytes: 8_000, mostMs: 80, sharedBeyond: 4 };

test('a client may send a whole window, on a stream and on a connection, before the server answers', async () => {
  const server = await createGrpcServer(
    { host: '127.0.0.1', port: 0, services: [], tls: null, reflection: null },
    { logger: silentLogger },
  );
  const session = connect(`http://127.0.0.1:${server.port}`);
  try {
    await once(session, 'remoteSettings');
    // What was sent before the answer to a ping has arrived before it.
    await new Promise<void>((resolve, reject) => session.ping((error) => (error === null ? resolve() : reject(error))));
    assert.ok((session.remoteSettings.initialWindowSize ?? 0) >= RECEIVE_WINDOWS.leastBytes);
    assert.equal(session.state.remoteWindowSize, RECEIVE_WINDOWS.mostBytes);
  } finally {
    session.destroy();
    await server.stop(0);
  }
});

test('a grpc-js that is made otherwise is refused, and not taken for a fast one', () => {
  const other = Object.create(new Server(), { createHttp2Server: { value: undefined } }) as Server;
  assert.throws(() => widenReceiveWindows(other, RECEIVE_WINDOWS, []), /no commonServerOptions and createHttp2Server/);
});

test('the window grows with the round trip, between its bounds', () => {
  assert.deepEqual(
    [0.1, 10, 20, 40, 80, 300].map((ms) => windowBytes(WINDOWS, ms, 1)),
    [2_000, 2_000, 2_000, 4_000, 8_000, 8_000],
  );
  assert.deepEqual(
    [1, 2, 4].map((senders) => windowBytes(WINDOWS, 0.1, senders)),
    [2_000, 1_000, 1_000],
  );
});

test('many calls that send share what a few would have, and none has less than the least', () => {
  assert.deepEqual(
    [0, 4, 8, 16, 64].map((senders) => windowBytes(WINDOWS, 80, senders)),
    [8_000, 8_000, 4_000, 2_000, 1_000],
  );
});
