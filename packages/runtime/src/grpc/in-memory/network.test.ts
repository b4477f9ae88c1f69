import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import {
  AbortUploadRequest,
  type DownloadAdapterResponse,
  TransferServiceClient,
  TransferServiceService,
} from '@flexlora/contracts/transfer/v1/transfer_service';
import { status } from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import { silentLogger } from '../../logger.ts';
import { createServiceMetrics } from '../../metrics.ts';
import { callUnary } from '../client.ts';
import { createHandlerAdapter } from '../handler.ts';
import type { GrpcServerDoor } from '../server.ts';
import { failureOf, isServiceError } from '../status.ts';
import type { Transport } from '../transport.ts';
import { createInMemoryNetwork, type InMemoryNetwork } from './network.ts';
import { LINE_DEAD_MS, type MessageFate } from './wire.ts';

/** Time that passes only when it is told to. */
interface HandClock extends Clock {
  /** Lets everything happen that can without time, then what is due next, until `ms` have passed. */
  pass(ms: number): Promise<void>;
}

function createHandClock(): HandClock {
  const timers: { readonly atMs: number; readonly wake: () => void }[] = [];
  let nowMs = 1_000;
  const quiet = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    nowMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal?.throwIfAborted();
        const timer = { atMs: nowMs + ms, wake: resolve };
        timers.push(timer);
        signal?.addEventListener('abort', () => {
          if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
          reject(signal.reason);
        });
      }),
    pass: async (ms) => {
      const untilMs = nowMs + ms;
      for (;;) {
        await quiet();
        const [next] = timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        timers.splice(timers.indexOf(next), 1);
        nowMs = Math.max(nowMs, next.atMs);
        next.wake();
      }
      nowMs = untilMs;
    },
  };
}

const PASS: MessageFate = { kind: 'pass', afterMs: 0 };
const DEADLINE_MS = 600_000;

interface World {
  readonly clock: HandClock;
  readonly network: InMemoryNetwork;
  /** Hosts in the order in which requests reached them, and `gone` where a handler's caller gave up. */
  readonly log: string[];
  serve(host: string): Promise<GrpcServerDoor>;
  client(host: string, target: string): TransferServiceClient;
  transport(host: string): Transport;
}

/** Servers at port 1 that answer a unary call, or hold it for ever where the run is named `hold`, and stream numbers. */
function createWorld(random: () => number = () => 0): World {
  const clock = createHandClock();
  const network = createInMemoryNetwork({ clock, random });
  const log: string[] = [];
  const transport = (host: string) => network.host(host);
  return {
    clock,
    network,
    log,
    transport,
    serve: (host) => {
      const adapter = createHandlerAdapter({ metrics: createServiceMetrics().grpc, logger: silentLogger });
      const implementation = {
        abortUpload: adapter.unary<AbortUploadRequest, object>(async ({ runId }, { signal }) => {
          log.push(host);
          if (runId !== 'hold') return {};
          await once(signal, 'abort');
          log.push('gone');
          return {};
        }),
        downloadAdapter: adapter.serverStream<unknown, DownloadAdapterResponse>(async function* (_request, { signal }) {
          signal.addEventListener('abort', () => log.push('gone'));
          for (let offset = 0; offset < 10; offset += 1)
            yield { body: { $case: 'chunk', value: { offset, data: Buffer.of(offset) } } };
          return undefined;
        }),
      };
      return transport(host).serve(
        {
          host: '0.0.0.0',
          port: 1,
          services: [{ definition: TransferServiceService, implementation: implementation as never }],
          tls: null,
          reflection: null,
        },
        { logger: silentLogger },
      );
    },
    client: (host, target) => transport(host).connect(TransferServiceClient, { target, tls: null }),
  };
}

interface Ended {
  readonly answer: 'answered' | string;
}

/** How a call ended, once it has. */
function callOf(world: World, client: TransferServiceClient, runId = 'r', deadlineMs = DEADLINE_MS): Partial<Ended> {
  const ended: { answer?: string } = {};
  callUnary(client, client.abortUpload, AbortUploadRequest.fromPartial({ runId }), {
    deadlineMs,
    clock: world.clock,
  }).then(
    () => {
      ended.answer = 'answered';
    },
    (error: unknown) => {
      ended.answer = isServiceError(error) ? `${status[error.code]}: ${error.details}` : String(error);
    },
  );
  return ended;
}

test('a message takes the time that it is given, in each direction', async () => {
  const world = createWorld();
  await world.serve('server');
  world.network.decide(() => ({ kind: 'pass', afterMs: 100 }));
  const call = callOf(world, world.client('agent', 'server:1'));
  await world.clock.pass(99);
  assert.deepEqual(world.log, []);
  await world.clock.pass(1);
  assert.deepEqual(world.log, ['server']);
  await world.clock.pass(99);
  assert.equal(call.answer, undefined);
  await world.clock.pass(1);
  assert.equal(call.answer, 'answered');
  assert.equal(world.network.calls(), 0);
});

test('a deadline is of the clock: what is not answered in time ends, and the handler hears of it', async () => {
  const world = createWorld();
  await world.serve('server');
  const call = callOf(world, world.client('agent', 'server:1'), 'hold', 5_000);
  await world.clock.pass(4_999);
  assert.equal(call.answer, undefined);
  await world.clock.pass(1);
  assert.equal(call.answer, 'DEADLINE_EXCEEDED: no answer came within 5000 ms');
  assert.deepEqual(world.log, ['server', 'gone']);
  assert.equal(world.network.calls(), 0);
});

for (const [what, kind, handled] of [
  ['request', 'call', []],
  ['answer', 'answer', ['server']],
] as const) {
  test(`a caller whose ${what} is lost hears of a dead line`, async () => {
    const world = createWorld();
    await world.serve('server');
    world.network.decide((message) => (message.kind === kind ? { kind: 'lost' } : PASS));
    const call = callOf(world, world.client('agent', 'server:1'));
    await world.clock.pass(LINE_DEAD_MS - 1);
    assert.equal(call.answer, undefined);
    await world.clock.pass(1);
    assert.equal(call.answer, 'UNAVAILABLE: the line is dead');
    assert.deepEqual(world.log, [...handled]);
    assert.equal(world.network.calls(), 0);
  });
}

test('a line that is cut is heard of by both sides at once', async () => {
  const world = createWorld();
  await world.serve('server');
  let messages = 0;
  world.network.decide(({ kind }) => {
    messages += kind === 'message' ? 1 : 0;
    return messages === 3 ? { kind: 'cut' } : PASS;
  });
  const stream = world.client('agent', 'server:1').downloadAdapter({ runId: 'r', version: 1, ranks: {}, offset: 0 });
  const read = stream.toArray().catch((error: unknown) => failureOf(error));
  await world.clock.pass(0);
  assert.deepEqual(await read, { kind: 'unavailable', message: 'the line was cut', retryMs: null });
  assert.deepEqual(world.log, ['gone']);
});

test('messages of a stream arrive in their order, however long each is under way', async () => {
  const world = createWorld();
  await world.serve('server');
  let messages = 0;
  world.network.decide(() => {
    messages += 1;
    return { kind: 'pass', afterMs: 100 - messages };
  });
  const stream = world.client('agent', 'server:1').downloadAdapter({ runId: 'r', version: 1, ranks: {}, offset: 0 });
  const read = stream.toArray() as Promise<DownloadAdapterResponse[]>;
  await world.clock.pass(1_000);
  const offsets = (await read).map(({ body }) => (body?.$case === 'chunk' ? body.value.offset : -1));
  assert.deepEqual(offsets, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a request that passes twice is handled twice and answered once', async () => {
  const world = createWorld();
  await world.serve('server');
  world.network.decide(() => ({ kind: 'passTwice', afterMs: 1 }));
  const call = callOf(world, world.client('agent', 'server:1'));
  await world.clock.pass(10);
  assert.equal(call.answer, 'answered');
  assert.deepEqual(world.log, ['server', 'server']);
});

test('hosts that are parted reach one another no more, and calls that it caught end; then they do again', async () => {
  const world = createWorld();
  await world.serve('server');
  const client = world.client('agent', 'server:1');
  const held = callOf(world, client, 'hold');
  await world.clock.pass(0);
  world.network.partition('server', 'agent');
  const fresh = callOf(world, client);
  await world.clock.pass(0);
  assert.equal(fresh.answer, 'UNAVAILABLE: nobody answers at server:1');
  assert.equal(callOf(world, world.client('other', 'server:1')).answer, undefined);
  await world.clock.pass(LINE_DEAD_MS);
  assert.equal(held.answer, 'UNAVAILABLE: the line is dead');
  assert.deepEqual(world.log, ['server', 'server', 'gone']);
  world.network.heal('agent', 'server');
  const healed = callOf(world, client);
  await world.clock.pass(0);
  assert.equal(healed.answer, 'answered');
});

test('of the addresses of a target one is taken that serves', async () => {
  const draws = [0.9, 0.1];
  const world = createWorld(() => draws.shift() ?? 0);
  const [one, two] = [await world.serve('one'), await world.serve('two')];
  const client = world.client('agent', 'one:1,two:1');
  const calls = [callOf(world, client), callOf(world, client)];
  await world.clock.pass(0);
  assert.deepEqual(world.log, ['two', 'one']);
  await two.stop(0);
  calls.push(callOf(world, client), callOf(world, client));
  await world.clock.pass(0);
  assert.deepEqual(world.log, ['two', 'one', 'one', 'one']);
  await one.stop(0);
  calls.push(callOf(world, client));
  await world.clock.pass(0);
  assert.deepEqual(
    calls.map(({ answer }) => answer),
    ['answered', 'answered', 'answered', 'answered', 'UNAVAILABLE: nobody answers at one:1,two:1'],
  );
});

test('a server that stops lets calls under way end within the grace, and cuts what is left', async () => {
  const world = createWorld();
  const server = await world.serve('server');
  world.network.decide(({ kind }) => ({ kind: 'pass', afterMs: kind === 'answer' ? 100 : 0 }));
  const client = world.client('agent', 'server:1');
  const [quick, held] = [callOf(world, client), callOf(world, client, 'hold')];
  await world.clock.pass(0);
  let hasStopped = false;
  void server.stop(200).then(() => {
    hasStopped = true;
  });
  await world.clock.pass(199);
  assert.deepEqual([quick.answer, held.answer, hasStopped], ['answered', undefined, false]);
  await world.clock.pass(1);
  assert.deepEqual([held.answer, hasStopped], ['UNAVAILABLE: the server has stopped', true]);
});

test('a process that is killed serves and hears nothing more; the next one of its host does', async () => {
  const world = createWorld();
  await world.serve('server');
  const [own, other] = [
    callOf(world, world.client('server', 'server:1'), 'hold'),
    callOf(world, world.client('agent', 'server:1'), 'hold'),
  ];
  const stale = world.client('server', 'server:1');
  await world.clock.pass(0);
  world.network.kill('server');
  const after = callOf(world, stale, 'r', 10);
  await world.clock.pass(1_000);
  assert.deepEqual(
    [own.answer, other.answer, after.answer],
    [undefined, 'UNAVAILABLE: the process has gone', undefined],
  );
  await world.serve('server');
  const next = callOf(world, world.client('agent', 'server:1'));
  await world.clock.pass(0);
  assert.equal(next.answer, 'answered');
});

test('a method that is not served, and a message that is too large, are refused as over sockets', async () => {
  const world = createWorld();
  await world.serve('server');
  const client = world.client('agent', 'server:1');
  const getUpload = callUnary(
    client,
    client.getUpload,
    { runId: '', round: 0, agentId: '', uploadId: '' },
    { deadlineMs: DEADLINE_MS, clock: world.clock },
  );
  await assert.rejects(getUpload, { code: status.UNIMPLEMENTED });
  const large = callOf(world, client, 'r'.repeat(9 << 20));
  await world.clock.pass(0);
  assert.match(large.answer ?? '', /^RESOURCE_EXHAUSTED: a message has 94\d+ bytes; allowed: 8388608/);
});

test('an address that is taken cannot be served again', async () => {
  const world = createWorld();
  await world.serve('server');
  await assert.rejects(world.serve('server'), { message: 'server:1 is taken; choose a free port' });
});

/** Small, and the same for the same seed. */
function createDraws(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Everything that happened to 60 calls over two servers, with faults of every kind. */
async function historyOf(seed: number): Promise<readonly unknown[]> {
  const draw = createDraws(seed);
  const world = createWorld(draw);
  const history: unknown[] = [];
  world.network.decide(({ from, to, kind }) => {
    const draws = draw();
    history.push([from, to, kind, draws]);
    if (draws < 0.05) return { kind: 'lost' };
    if (draws < 0.1) return { kind: 'cut' };
    return { kind: draws < 0.2 ? 'passTwice' : 'pass', afterMs: Math.floor(draws * 200) };
  });
  await world.serve('one');
  await world.serve('two');
  const calls: Partial<Ended>[] = [];
  for (let call = 0; call < 60; call += 1) {
    calls.push(callOf(world, world.client(`agent-${call}`, 'one:1,two:1'), call % 5 === 0 ? 'hold' : 'r', 50_000));
    await world.clock.pass(10);
  }
  await world.clock.pass(50_000 + LINE_DEAD_MS);
  assert.equal(world.network.calls(), 0);
  return [history, world.log, calls.map(({ answer }) => answer)];
}

test('the same draws make the same history, other draws another; nothing is left of any call', async () => {
  const [first, again, other] = [await historyOf(1), await historyOf(1), await historyOf(2)];
  assert.deepEqual(first, again);
  assert.notDeepEqual(first, other);
  const answers = new Set(first[2] as string[]);
  for (const answer of [
    'answered',
    'UNAVAILABLE: the line is dead',
    'UNAVAILABLE: the line was cut',
    'DEADLINE_EXCEEDED: no answer came within 50000 ms',
  ])
    assert.ok(answers.has(answer), `no call ended as ${answer}`);
});
