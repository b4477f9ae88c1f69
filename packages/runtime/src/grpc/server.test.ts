import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  AggregationServiceClient,
  AggregationServiceService,
  ClaimTaskRequest,
  type ClaimTaskResponse,
} from '@flexlora/contracts/aggregation/v1/aggregation_service';
import {
  type Client,
  credentials,
  type GrpcObject,
  loadPackageDefinition,
  type ServiceClientConstructor,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { silentLogger } from '../logger.ts';
import { createServiceMetrics } from '../metrics.ts';
import { type ChannelOptions, callUnary, connectClient } from './client.ts';
import { createHandlerAdapter, type UnaryHandler } from './handler.ts';
import { createGrpcServer, type GrpcServerDoor, type GrpcServerOptions } from './server.ts';
import { isServiceError } from './status.ts';

const DEADLINE_MS = 30_000;
const NEVER_MS = 3_600_000;
const PROTO_ROOT = fileURLToPath(new URL('../../../../proto', import.meta.url));
const resolve = createRequire(import.meta.url).resolve;

type ClaimHandler = UnaryHandler<ClaimTaskRequest, ClaimTaskResponse>;

const comeBack: ClaimHandler = async () => ({ answer: { $case: 'comeBackAfterMs', value: 7 } });

async function startServer(
  options: Partial<GrpcServerOptions>,
  claimTask: ClaimHandler = comeBack,
): Promise<GrpcServerDoor> {
  const adapter = createHandlerAdapter({ metrics: createServiceMetrics().grpc, logger: silentLogger });
  const other = adapter.unary(async () => ({}));
  const implementation = {
    claimTask: adapter.unary(claimTask),
    renewTask: other,
    completeTask: other,
    failTask: other,
  };
  const services = [{ definition: AggregationServiceService, implementation }];
  return createGrpcServer(
    { host: '127.0.0.1', port: 0, services, tls: null, reflection: null, ...options },
    { logger: silentLogger },
  );
}

async function claimOnce(server: GrpcServerDoor, tls: ChannelOptions['tls'] = null): Promise<ClaimTaskResponse> {
  const client = connectClient(AggregationServiceClient, { target: `localhost:${server.port}`, tls });
  try {
    return await callUnary(client, client.claimTask, ClaimTaskRequest.fromPartial({}), { deadlineMs: DEADLINE_MS });
  } finally {
    client.close();
  }
}

/** A client of a service whose proto file comes with a package, spoken to by name as a command-line tool would. */
function connectByProto(file: string, path: readonly string[], server: GrpcServerDoor): Client {
  let object: unknown = loadPackageDefinition(loadSync(file, { keepCase: true, enums: String, oneofs: true }));
  for (const name of path) object = (object as GrpcObject)[name];
  return new (object as ServiceClientConstructor)(`127.0.0.1:${server.port}`, credentials.createInsecure());
}

test('the health service answers what was set, and not serving before', async () => {
  const server = await startServer({});
  const file = join(dirname(resolve('grpc-health-check')), '../../proto/health/v1/health.proto');
  const client = connectByProto(file, ['grpc', 'health', 'v1', 'Health'], server);
  const check = (): Promise<string> =>
    new Promise((done, fail) => {
      client.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        () => Buffer.alloc(0),
        (bytes) => bytes,
        {},
        (error, response) => (error === null ? done(response?.toString('hex') ?? '') : fail(error)),
      );
    });
  try {
    // Field 1, varint: SERVING is 1, NOT_SERVING is 2.
    assert.equal(await check(), '0802');
    server.setServing('serving');
    assert.equal(await check(), '0801');
    server.setServing('notServing');
    assert.equal(await check(), '0802');
  } finally {
    client.close();
    await server.stop(0);
  }
});

test("reflection answers with the repository's services", async () => {
  const files = ['flexlora/aggregation/v1/aggregation_service.proto', 'flexlora/run/v1/run_service.proto'];
  const server = await startServer({ reflection: { root: PROTO_ROOT, files } });
  const file = join(dirname(resolve('@grpc/reflection')), '../proto/grpc/reflection/v1/reflection.proto');
  const client = connectByProto(file, ['grpc', 'reflection', 'v1', 'ServerReflection'], server);
  try {
    const stream = (client as unknown as Record<string, () => ReturnType<Client['makeBidiStreamRequest']>>)[
      'ServerReflectionInfo'
    ]!.call(client);
    const ask = async (request: object): Promise<Record<string, unknown>> => {
      stream.write(request);
      return (await once(stream, 'data'))[0];
    };
    const list = await ask({ list_services: '*' });
    const names = (list['list_services_response'] as { service: { name: string }[] }).service.map(({ name }) => name);
    assert.ok(names.includes('flexlora.aggregation.v1.AggregationService'), names.join());
    assert.ok(names.includes('flexlora.run.v1.RunService'), names.join());
    const found = await ask({ file_containing_symbol: 'flexlora.aggregation.v1.Task' });
    const { file_descriptor_proto } = found['file_descriptor_response'] as { file_descriptor_proto: Buffer[] };
    assert.ok(file_descriptor_proto.some((bytes) => bytes.includes('completion_seed')));
    const ended = once(stream.resume(), 'end');
    stream.end();
    await ended;
  } finally {
    client.close();
    await server.stop(0);
  }
});

test('with a client CA the server takes who shows its certificate and nobody else', async () => {
  const pki = makeCertificates();
  const { ca, certificate, key } = pki.server;
  const server = await startServer({ tls: { certificate, key, clientCa: ca } });
  try {
    const answer = await claimOnce(server, { ca, certificate: pki.client.certificate, key: pki.client.key });
    assert.deepEqual(answer.answer, { $case: 'comeBackAfterMs', value: 7 });
    await assert.rejects(claimOnce(server, { ca, certificate: null, key: null }), unavailable);
    await assert.rejects(
      claimOnce(server, { ca, certificate: pki.stranger.certificate, key: pki.stranger.key }),
      unavailable,
    );
    await assert.rejects(claimOnce(server, null), unavailable);
  } finally {
    await server.stop(0);
  }
});

test('without a client CA the server proves itself and takes anybody', async () => {
  const pki = makeCertificates();
  const { ca, certificate, key } = pki.server;
  const server = await startServer({ tls: { certificate, key, clientCa: null } });
  try {
    await claimOnce(server, { ca, certificate: null, key: null });
    await assert.rejects(claimOnce(server, { ca: pki.stranger.ca, certificate: null, key: null }), unavailable);
  } finally {
    await server.stop(0);
  }
});

test('a port that is taken is told with what to do', async () => {
  const server = await startServer({});
  try {
    await assert.rejects(
      startServer({ port: server.port }),
      /cannot listen on 127\.0\.0\.1:\d+: .*; choose a free port/,
    );
  } finally {
    await server.stop(0);
  }
});

test('a graceful stop lets a call under way end', async () => {
  const began = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const server = await startServer({}, async (request, call) => {
    began.resolve();
    await finish.promise;
    return comeBack(request, call);
  });
  const call = claimOnce(server);
  await began.promise;
  const stopped = server.stop(DEADLINE_MS);
  finish.resolve();
  assert.deepEqual((await call).answer, { $case: 'comeBackAfterMs', value: 7 });
  await stopped;
});

test('a call that outlasts the grace is cut, and its handler is told', async () => {
  const began = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const server = await startServer({}, async (_request, { signal }) => {
    began.resolve();
    await once(signal, 'abort');
    told.resolve();
    return { answer: undefined };
  });
  const call = claimOnce(server);
  const failed = assert.rejects(call, isServiceError);
  await began.promise;
  await server.stop(1);
  await Promise.all([failed, told.promise]);
});

test('a caller that vanishes without a goodbye is found by its silence, and its handler is told', async () => {
  const began = Promise.withResolvers<void>();
  const told = Promise.withResolvers<void>();
  const server = await startServer({ keepalive: { everyMs: 20, answerMs: 20 } }, async (_request, { signal }) => {
    began.resolve();
    if (!signal.aborted) await once(signal, 'abort');
    told.resolve();
    return { answer: undefined };
  });
  const line = await createLine(server.port);
  const client = connectClient(AggregationServiceClient, { target: `127.0.0.1:${line.port}`, tls: null });
  try {
    // The deadline is known to the server as well, and must not be what ends the call.
    const call = callUnary(client, client.claimTask, ClaimTaskRequest.fromPartial({}), { deadlineMs: NEVER_MS });
    const failed = assert.rejects(call, isServiceError);
    await began.promise;
    line.goSilent();
    await told.promise;
    line.cut();
    await failed;
  } finally {
    client.close();
    line.cut();
    await server.stop(0);
  }
});

/** A line to a port of this machine that can fall silent: both ends stay, and nothing passes any more. */
async function createLine(port: number) {
  const sockets: Socket[] = [];
  const door = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) sockets.push(socket.on('error', () => {}));
  });
  await new Promise<void>((listening) => door.listen(0, '127.0.0.1', listening));
  return {
    port: (door.address() as AddressInfo).port,
    goSilent: () => {
      for (const socket of sockets) socket.unpipe().pause();
    },
    cut: () => {
      for (const socket of sockets) socket.destroy();
      door.close();
    },
  };
}

const unavailable = (error: unknown): boolean => isServiceError(error) && error.code === status.UNAVAILABLE;

interface Identity {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** A server and a client of one CA, and a stranger of another, made by openssl for this test alone. */
function makeCertificates(): { readonly server: Identity; readonly client: Identity; readonly stranger: Identity } {
  const folder = mkdtempSync(join(tmpdir(), 'flexlora-tls-'));
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  const text = (name: string): string => readFileSync(join(folder, name), 'utf8');
  const identity = (authority: string, name: string): Identity => {
    const names = ['-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE'];
    const sign = ['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`];
    openssl('req', '-x509', ...newKey, ...sign, ...names, '-subj', `/CN=${name}`, '-keyout', 'k', '-out', 'c');
    return { ca: text(`${authority}.pem`), certificate: text('c'), key: text('k') };
  };
  try {
    for (const authority of ['ours', 'theirs'])
      openssl(
        'req',
        '-x509',
        ...newKey,
        '-subj',
        `/CN=${authority}`,
        '-keyout',
        `${authority}.key`,
        '-out',
        `${authority}.pem`,
      );
    return {
      server: identity('ours', 'server'),
      client: identity('ours', 'client'),
      stranger: identity('theirs', 'client'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a connection that grew old takes no new call, and lets those under way end', async () => {
  const opened = Promise.withResolvers<void>();
  const letGo = Promise.withResolvers<void>();
  const peers = new Set<string>();
  const server = await startServer({ connectionAgeMs: 20 }, async (request, call) => {
    peers.add(call.peer);
    if (request.aggregatorId === 'patient') {
      opened.resolve();
      await letGo.promise;
    }
    return { answer: { $case: 'comeBackAfterMs', value: 7 } };
  });
  const client = connectClient(AggregationServiceClient, { target: `localhost:${server.port}`, tls: null });
  const claim = (aggregatorId: string) =>
    callUnary(client, client.claimTask, ClaimTaskRequest.fromPartial({ aggregatorId }), { deadlineMs: DEADLINE_MS });
  try {
    const patient = claim('patient');
    await opened.promise;
    while (peers.size < 2) await claim('quick');
    letGo.resolve();
    assert.deepEqual((await patient).answer, { $case: 'comeBackAfterMs', value: 7 });
  } finally {
    client.close();
    await server.stop(0);
  }
});
