import {
  Server as GrpcServer,
  type Server,
  ServerCredentials,
  type ServiceDefinition,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { Logger } from '../logger.ts';
import { decodeRequests } from './message-decoder.ts';
import { readableService } from './readable-service.ts';
import { type ReceiveWindows, widenReceiveWindows } from './receive-windows.ts';

/** A gRPC server with `grpc.health.v1`, and reflection when it is asked for. */
export interface GrpcServerDoor {
  readonly port: number;
  /** What `grpc.health.v1` answers. */
  setServing(serving: 'serving' | 'notServing'): void;
  /** Takes no new calls, lets those under way end for `graceMs`, then cuts them. */
  stop(graceMs: number): Promise<void>;
}

export interface GrpcServiceBinding {
  readonly definition: ServiceDefinition;
  readonly implementation: UntypedServiceImplementation;
}

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly services: readonly GrpcServiceBinding[];
  /** PEM texts; without them the server speaks plain text. */
  readonly tls: { readonly certificate: string; readonly key: string; readonly clientCa: string | null } | null;
  /** The proto files to answer reflection with, and their root; null answers none. */
  readonly reflection: { readonly root: string; readonly files: readonly string[] } | null;
  readonly keepalive?: Keepalive;
  /** A connection older than this takes no new calls, so that its client connects anew; calls under way go on to their ends. Default 30 min. */
  readonly connectionAgeMs?: number;
}

/** How a connection is found dead on which nothing moves: a machine that lost its power says no goodbye. */
export interface Keepalive {
  /** Between two pings. */
  readonly everyMs: number;
  /** A ping that is not answered within this ends the connection, and every call on it. */
  readonly answerMs: number;
}

/** Ordinary load balancers drop a silent connection after 60 s or more; a watch or a download of a reader that vanished ends within both. */
const KEEPALIVE: Keepalive = { everyMs: 30_000, answerMs: 20_000 };
/** Clients keep to the connections that they have: only new ones come to replicas that were added, or to addresses that changed. */
const CONNECTION_AGE_MS = 30 * 60_000;
/** A specification of thousands of modules, or the answer to a task of as many. */
const MESSAGE_BYTES_MAX = 8 << 20;
/** Chunks have at most 512 KiB: one that is larger is refused with its reason, up to this; whoever sends a stream makes its server hold so much. */
const STREAMED_BYTES_MAX = 2 << 20;
/**
 * At 80 ms round trip the most carries some 85 MB/s on a stream: a server that reads message by message lets go of half a window at a time. Nearer
 * agents need less for the same rate, and what is not needed only waits in memory. The most is what one stream makes this process hold.
 */
export const RECEIVE_WINDOWS: ReceiveWindows = {
  leastBytes: 256 << 10,
  nearBytes: 4 << 20,
  mostBytes: 14 << 20,
  mostMs: 80,
  sharedBeyond: 8,
};
/** Agents behind a load balancer keep an idle long poll alive by pinging at this rate, and no faster. */
const CLIENT_PING_MS_MIN = 10_000;

export async function createGrpcServer(
  options: GrpcServerOptions,
  deps: { readonly logger: Logger },
): Promise<GrpcServerDoor> {
  const server = new GrpcServer({
    interceptors: [decodeRequests({ streamedBytesMax: STREAMED_BYTES_MAX, bytesMax: MESSAGE_BYTES_MAX })],
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc-node.max_session_memory': 64,
    'grpc.keepalive_permit_without_calls': 1,
    'grpc.keepalive_time_ms': (options.keepalive ?? KEEPALIVE).everyMs,
    'grpc.keepalive_timeout_ms': (options.keepalive ?? KEEPALIVE).answerMs,
    'grpc.max_connection_age_ms': options.connectionAgeMs ?? CONNECTION_AGE_MS,
    'grpc.http2.min_ping_interval_without_data_ms': CLIENT_PING_MS_MIN,
  });
  widenReceiveWindows(
    server,
    RECEIVE_WINDOWS,
    options.services.map(({ definition }) => definition),
  );
  for (const { definition, implementation } of options.services)
    server.addService(readableService(definition), implementation);
  const health = new HealthImplementation({ '': 'NOT_SERVING' });
  health.addToServer(server);
  if (options.reflection !== null) {
    const loaded = loadSync([...options.reflection.files], { includeDirs: [options.reflection.root], keepCase: true });
    new ReflectionService(loaded).addToServer(server);
  }
  const port = await bind(server, options);
  deps.logger.info({ port, tls: options.tls !== null }, 'gRPC server listens');
  return {
    port,
    setServing: (serving) => health.setStatus('', serving === 'serving' ? 'SERVING' : 'NOT_SERVING'),
    stop: (graceMs) => stopServer(server, graceMs),
  };
}

function bind(server: Server, options: GrpcServerOptions): Promise<number> {
  const credentials =
    options.tls === null
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          options.tls.clientCa === null ? null : Buffer.from(options.tls.clientCa),
          [{ cert_chain: Buffer.from(options.tls.certificate), private_key: Buffer.from(options.tls.key) }],
          options.tls.clientCa !== null,
        );
  return new Promise((resolve, reject) => {
    server.bindAsync(`${options.host}:${options.port}`, credentials, (error, port) => {
      if (error === null) resolve(port);
      else
        reject(
          new Error(`cannot listen on ${options.host}:${options.port}: ${error.message}; choose a free port`, {
            cause: error,
          }),
        );
    });
  });
}

function stopServer(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
