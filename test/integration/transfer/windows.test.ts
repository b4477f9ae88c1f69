import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:http2';
import { test } from 'node:test';
import { createGrpcServer, RECEIVE_WINDOWS, silentLogger } from '@flexlora/runtime';
import { openFaultProxy } from '../../harness/proxy/fault-proxy.ts';

test('a server gives a far client a window for its distance', { timeout: 60_000 }, async () => {
  const options = { host: '127.0.0.1', port: 0, services: [], tls: null, reflection: null };
  const server = await createGrpcServer(options, { logger: silentLogger });
  const link = await openFaultProxy(server.port);
  // Each way: twice what the largest window is for.
  link.delay(RECEIVE_WINDOWS.mostMs);
  const session = connect(`http://127.0.0.1:${link.port}`);
  try {
    await once(session, 'remoteSettings');
    assert.ok(session.remoteSettings.initialWindowSize! >= RECEIVE_WINDOWS.leastBytes);
    while (session.remoteSettings.initialWindowSize! < RECEIVE_WINDOWS.mostBytes) await once(session, 'remoteSettings');
    assert.equal(session.remoteSettings.initialWindowSize, RECEIVE_WINDOWS.mostBytes);
  } finally {
    session.destroy();
    await link.close();
    await server.stop(0);
  }
});
