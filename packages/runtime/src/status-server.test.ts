import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createServiceMetrics } from './metrics.ts';
import { createStatusServer } from './status-server.ts';

async function withStatusServer(
  whyNotReady: () => Promise<string | null>,
  body: (get: (path: string) => Promise<{ status: number; type: string | null; text: string }>) => Promise<void>,
): Promise<void> {
  const server = await createStatusServer({
    host: '127.0.0.1',
    port: 0,
    registry: createServiceMetrics().registry,
    whyNotReady,
  });
  try {
    await body(async (path) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    });
  } finally {
    await server.close();
  }
}

test('liveness answers while the process is not ready, readiness says why not', async () => {
  let reason: string | null = 'Redis at localhost:6379 does not answer';
  await withStatusServer(
    async () => reason,
    async (get) => {
      assert.equal((await get('/livez')).status, 200);
      assert.deepEqual(await get('/readyz'), {
        status: 503,
        type: 'text/plain',
        text: 'Redis at localhost:6379 does not answer\n',
      });
      reason = null;
      assert.deepEqual(await get('/readyz'), { status: 200, type: 'text/plain', text: 'ok\n' });
    },
  );
});

test('a readiness check that throws answers 500 with the error', async () => {
  await withStatusServer(
    async () => {
      throw new Error('the check broke');
    },
    async (get) =>
      assert.deepEqual(await get('/readyz'), { status: 500, type: 'text/plain', text: 'Error: the check broke\n' }),
  );
});

test('metrics are served in the text format of Prometheus', async () => {
  await withStatusServer(
    async () => null,
    async (get) => {
      const { status, type, text } = await get('/metrics');
      assert.equal(status, 200);
      assert.match(type ?? '', /^text\/plain; version=0\.0\.4/);
      assert.match(text, /^# TYPE grpc_server_started_total counter$/m);
      assert.match(text, /^process_cpu_seconds_total \d/m);
    },
  );
});

test('a query is not part of the path', async () => {
  await withStatusServer(
    async () => null,
    async (get) => assert.equal((await get('/livez?from=probe')).status, 200),
  );
});

test('any other path is told what is served', async () => {
  await withStatusServer(
    async () => null,
    async (get) => {
      const { status, text } = await get('/');
      assert.equal(status, 404);
      assert.match(text, /allowed: \/livez, \/readyz, \/metrics/);
    },
  );
});

test('a port that is taken is a fault at the start', async () => {
  const options = { host: '127.0.0.1', registry: createServiceMetrics().registry, whyNotReady: async () => null };
  const first = await createStatusServer({ ...options, port: 0 });
  try {
    await assert.rejects(createStatusServer({ ...options, port: first.port }), { code: 'EADDRINUSE' });
  } finally {
    await first.close();
  }
});
