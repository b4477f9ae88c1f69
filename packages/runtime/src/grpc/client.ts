import {
  ChannelCredentials,
  type ClientDuplexStream,
  type ClientOptions,
  type ClientReadableStream,
  type ClientUnaryCall,
  type Interceptor,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import { type Clock, systemClock } from '../clock.ts';

/** How a process reaches another one. */
export interface ChannelOptions {
  /** `host:port`, or `dns:///name:port` to spread calls over every address of a name. */
  readonly target: string;
  /** PEM texts; null speaks plain text. */
  readonly tls: { readonly ca: string | null; readonly certificate: string | null; readonly key: string | null } | null;
  /** `none`: connections of its own. Otherwise clients of one process that reach the same address share one. */
  readonly sharing?: 'process' | 'none';
  /** See every call: the first is the outermost. */
  readonly interceptors?: readonly Interceptor[];
}

/** Ordinary load balancers drop a silent connection after 60 s or more. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_ANSWER_MS_MAX = 10_000;
const MESSAGE_BYTES_MAX = 8 << 20;
/** A server that came back is found again within this. */
const RECONNECT_MS_MAX = 5_000;
/** Bytes that may be on their way to this client before it reads them: as many as to a server, for the same reason. */
const RECEIVE_WINDOW_BYTES = 14 << 20;

export type ClientConstructor<Client> = new (
  address: string,
  credentials: ChannelCredentials,
  options?: Partial<ClientOptions>,
) => Client;

/** Opens a client of a generated service. The connection is made on the first call and made again when it breaks. */
export function connectClient<Client>(Constructor: ClientConstructor<Client>, options: ChannelOptions): Client {
  const credentials =
    options.tls === null
      ? ChannelCredentials.createInsecure()
      : ChannelCredentials.createSsl(buffer(options.tls.ca), buffer(options.tls.key), buffer(options.tls.certificate));
  return new Constructor(options.target, credentials, {
    interceptors: [...(options.interceptors ?? [])],
    'grpc.keepalive_time_ms': KEEPALIVE_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS_MAX,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MS_MAX,
    'grpc-node.flow_control_window': RECEIVE_WINDOW_BYTES,
    ...(options.sharing === 'none' && { 'grpc.use_local_subchannel_pool': 1 }),
    'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  });
}

const buffer = (pem: string | null): Buffer | null => (pem === null ? null : Buffer.from(pem));

type UnaryMethod<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { readonly deadline: Date },
  callback: (error: ServiceError | null, response: Response) => void,
) => ClientUnaryCall;

/**
 * A unary call as a promise, with the deadline that every call has. Rejects with grpc-js' ServiceError (see `failureOf`), or with the
 * signal's reason.
 *
 * @param options.clock whose time the deadline is of: the one that the transport goes by; the system's when absent.
 */
export function callUnary<Request, Response>(
  client: object,
  method: UnaryMethod<Request, Response>,
  request: Request,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal; readonly clock?: Clock },
): Promise<Response> {
  return new Promise((resolve, reject) => {
    options.signal?.throwIfAborted();
    const call = method.call(
      client,
      request,
      new Metadata(),
      { deadline: new Date((options.clock ?? systemClock).nowMs() + options.deadlineMs) },
      (error, response) => {
        options.signal?.removeEventListener('abort', cancel);
        if (error === null) resolve(response);
        else reject(options.signal?.aborted ? options.signal.reason : error);
      },
    );
    function cancel(): void {
      call.cancel();
    }
    options.signal?.addEventListener('abort', cancel, { once: true });
  });
}

/** Cancels a stream when the signal is aborted; returns the stream, whose async iterator throws the ServiceError. */
export function cancelOn<Stream extends ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>>(
  stream: Stream,
  signal: AbortSignal | undefined,
): Stream {
  if (signal === undefined) return stream;
  const cancel = (): void => stream.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', cancel));
  if (signal.aborted) cancel();
  return stream;
}
