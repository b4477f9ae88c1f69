import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunServiceClient, type RunServiceServer, RunServiceService } from '@flexlora/contracts/run/v1/run_service';
import { refuse } from '@flexlora/core';
import { callUnary, statusOfFault, statusOfRefusal } from '@flexlora/runtime';
import { ChannelCredentials, Server, ServerCredentials } from '@grpc/grpc-js';
import { createLatencyHistogram } from './latency-histogram.ts';
import { createRpcLatencies, rpcLatencies } from './rpc-latency.ts';

type Handlers = Pick<RunServiceServer, 'getRun' | 'listRuns' | 'watchRun'>;

/** A real server whose answers a test writes, and a measured client whose clock it owns. */
async function measured(handlers: Partial<Handlers>, held: Parameters<typeof createRpcLatencies>[1] = {}) {
  const clock = { nowMs: 0 };
  const latencies = createRpcLatencies({ nowMs: () => clock.nowMs }, held);
  const server = new Server();
  server.addService(RunServiceService, handlers as unknown as RunServiceServer);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const client = new RunServiceClient(`127.0.0.1:${port}`, ChannelCredentials.createInsecure(), {
    interceptors: [latencies.interceptor],
  });
  const stop = (): void => {
    client.close();
    server.forceShutdown();
  };
  return { clock, latencies, client, stop };
}

const CALL = { deadlineMs: 10_000 };

test('a call is measured from its beginning to its answer, and told apart by how it ended', async () => {
  let calls = 0;
  const { clock, latencies, client, stop } = await measured({
    listRuns: (_call, callback) => {
      calls += 1;
      clock.nowMs += calls * 100;
      if (calls === 1) callback(null, { runs: [] });
      else if (calls === 2) callback(statusOfRefusal(refuse('unknownRun', 'there is none')));
      else callback(statusOfFault('the store is away', 1_000));
    },
  });
  try {
    await callUnary(client, client.listRuns, {}, CALL);
    await assert.rejects(callUnary(client, client.listRuns, {}, CALL));
    await assert.rejects(callUnary(client, client.listRuns, {}, CALL));
    const [row, ...others] = rpcLatencies([latencies.counts()]);
    assert.deepEqual(others, []);
    assert.ok(row !== undefined && row.p50Ms >= 200 && row.p50Ms < 203 && row.p99Ms >= 300 && row.p99Ms < 304);
    const { p50Ms: _p50, p99Ms: _p99, ...counts } = row;
    assert.deepEqual(counts, {
      method: 'RunService/ListRuns',
      kind: 'unary',
      count: 3,
      refused: 1,
      unavailable: 1,
      cancelled: 0,
      held: 0,
    });
  } finally {
    stop();
  }
});

test('a call that the server held as it was asked to has no latency, one that was answered late has what was too much', async () => {
  const { clock, latencies, client, stop } = await measured(
    {
      getRun: (call, callback) => {
        clock.nowMs += Number(call.request.runId);
        callback(null, { run: undefined });
      },
    },
    { 'RunService/GetRun': ({ elapsedMs }) => (elapsedMs > 1_000 ? elapsedMs - 1_000 : null) },
  );
  try {
    for (const runId of ['400', '1050']) await callUnary(client, client.getRun, { runId, withoutCohort: true }, CALL);
    const [row] = rpcLatencies([latencies.counts()]);
    assert.equal(row?.held, 1);
    assert.equal(row?.count, 2);
    assert.ok(row.p99Ms >= 50 && row.p99Ms < 51, `${row.p99Ms}`);
  } finally {
    stop();
  }
});

test('a call that its caller broke off is counted as that alone', async () => {
  const abort = new AbortController();
  const { latencies, client, stop } = await measured({ listRuns: () => abort.abort(new Error('enough')) });
  try {
    await assert.rejects(callUnary(client, client.listRuns, {}, { ...CALL, signal: abort.signal }), /enough/);
    const [row] = rpcLatencies([latencies.counts()]);
    assert.deepEqual([row?.count, row?.cancelled, row?.p99Ms], [0, 1, 0]);
  } finally {
    stop();
  }
});

test('what several threads counted is one row for each method', () => {
  const counted = (of: { readonly slow: number; readonly held: number }, method = 'RunService/GetRun') => {
    const latencies = createLatencyHistogram();
    for (let call = 0; call < 50; call += 1) latencies.add(call < of.slow ? 1_000 : 10);
    const none = { kind: 'unary', refused: 1, unavailable: 2, cancelled: 3 } as const;
    return { method, ...none, held: of.held, latencies: latencies.counts() };
  };
  const [other, row, ...more] = rpcLatencies([
    [counted({ slow: 0, held: 4 })],
    [counted({ slow: 2, held: 6 }), counted({ slow: 0, held: 0 }, 'RunService/A')],
  ]);
  assert.deepEqual(more, []);
  assert.deepEqual([other?.method, other?.count], ['RunService/A', 50]);
  // A hundred calls, two of them slow: the hundredth part is among those.
  assert.ok(row !== undefined && row.p50Ms < 10.2 && row.p99Ms >= 1_000);
  const { p50Ms: _p50, p99Ms: _p99, ...counts } = row;
  const expected = { refused: 2, unavailable: 4, cancelled: 6, held: 10, count: 110 };
  assert.deepEqual(counts, { method: 'RunService/GetRun', kind: 'unary', ...expected });
});
