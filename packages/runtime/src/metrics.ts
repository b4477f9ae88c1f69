import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

/** The registry of one process, with Node's own metrics and the conventional ones of a gRPC server. */
export interface ServiceMetrics {
  readonly registry: Registry;
  readonly grpc: GrpcServerMetrics;
}

/** Counts what a gRPC server was asked and how it answered; the names are those of the gRPC ecosystem. */
export interface GrpcServerMetrics {
  started(service: string, method: string, type: GrpcMethodType): void;
  handled(service: string, method: string, type: GrpcMethodType, code: string, seconds: number): void;
}

export type GrpcMethodType = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

/** Unary answers take milliseconds; a transfer takes minutes. */
const GRPC_SECONDS_BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600];

export function createServiceMetrics(): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const started = new Counter({
    name: 'grpc_server_started_total',
    help: 'RPCs started on the server.',
    labelNames: ['grpc_service', 'grpc_method', 'grpc_type'],
    registers: [registry],
  });
  const handled = new Counter({
    name: 'grpc_server_handled_total',
    help: 'RPCs completed on the server, by status code.',
    labelNames: ['grpc_service', 'grpc_method', 'grpc_type', 'grpc_code'],
    registers: [registry],
  });
  const seconds = new Histogram({
    name: 'grpc_server_handling_seconds',
    help: 'Time from the start of an RPC to its status.',
    labelNames: ['grpc_service', 'grpc_method', 'grpc_type'],
    buckets: GRPC_SECONDS_BUCKETS,
    registers: [registry],
  });
  return {
    registry,
    grpc: {
      started: (service, method, type) => started.inc({ grpc_service: service, grpc_method: method, grpc_type: type }),
      handled: (service, method, type, code, took) => {
        handled.inc({ grpc_service: service, grpc_method: method, grpc_type: type, grpc_code: code });
        seconds.observe({ grpc_service: service, grpc_method: method, grpc_type: type }, took);
      },
    },
  };
}
