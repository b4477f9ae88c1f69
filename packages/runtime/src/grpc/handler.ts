import { once } from 'node:events';
import { BusyFault, CallerFault, isRefusal, type Refusal } from '@flexlora/core';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type ServerDuplexStream,
  type ServerWritableStream,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import type { Logger } from '../logger.ts';
import type { GrpcMethodType, GrpcServerMetrics } from '../metrics.ts';
import { readRequest, readRequests, UnreadableRequest } from './readable-service.ts';
import { statusOfRefusal, statusOfThrown } from './status.ts';

/** What a handler knows of the call. */
export interface CallContext {
  /** Aborted when the caller gave up or the deadline passed. */
  readonly signal: AbortSignal;
  readonly peer: string;
}

/** Answers a request, or refuses it. What it throws is a fault or a bug. */
export type UnaryHandler<Request, Response> = (request: Request, call: CallContext) => Promise<Response | Refusal>;
/** Yields responses as fast as the caller takes them; may end by returning a refusal. */
export type ServerStreamHandler<Request, Response> = (
  request: Request,
  call: CallContext,
) => AsyncGenerator<Response, Refusal | undefined>;
/** The same, reading requests as it goes: a request that is not read is not fetched from the network. */
export type BidiHandler<Request, Response> = (
  requests: AsyncIterable<Request>,
  call: CallContext,
) => AsyncGenerator<Response, Refusal | undefined>;

/** Turns handlers that return values into grpc-js handlers: statuses, metrics and logs are made here and nowhere else. */
export interface HandlerAdapter {
  unary<Request, Response>(handler: UnaryHandler<Request, Response>): handleUnaryCall<Request, Response>;
  serverStream<Request, Response>(
    handler: ServerStreamHandler<Request, Response>,
  ): handleServerStreamingCall<Request, Response>;
  bidi<Request, Response>(handler: BidiHandler<Request, Response>): handleBidiStreamingCall<Request, Response>;
}

interface AnyCall {
  getPath(): string;
  getPeer(): string;
  on(event: 'cancelled', listener: () => void): unknown;
  /** True when the caller gave up before the handler began: no event tells of it later. */
  readonly cancelled: boolean;
}

/**
 * A reader that takes not one message for so long holds what its handler holds (a slot, a file) for nothing: it may come back, and a download
 * goes on from its offset. At 1 MiB a message this asks for 17 kB/s.
 */
export const READER_IDLE_MS_MAX = 60_000;

export function createHandlerAdapter(
  deps: { readonly metrics: GrpcServerMetrics; readonly logger: Logger },
  options: { readonly readerIdleMs: number } = { readerIdleMs: READER_IDLE_MS_MAX },
): HandlerAdapter {
  const begin = (call: AnyCall, type: GrpcMethodType) => {
    const [, service = 'unknown', method = 'unknown'] = call.getPath().split('/');
    const startedAt = performance.now();
    const controller = new AbortController();
    const giveUp = (): void => controller.abort(new Error('the caller gave up'));
    call.on('cancelled', giveUp);
    if (call.cancelled) giveUp();
    deps.metrics.started(service, method, type);
    const finish = (answer: Partial<StatusObject> | null): void => {
      const code = status[answer?.code ?? status.OK] ?? 'UNKNOWN';
      deps.metrics.handled(service, method, type, code, (performance.now() - startedAt) / 1000);
    };
    const failed = (error: unknown): Partial<StatusObject> => {
      if (controller.signal.aborted) return { code: status.CANCELLED, details: 'the caller gave up' };
      if (error instanceof ReaderIdle) {
        deps.logger.info({ service, method, peer: call.getPeer() }, error.message);
        return { code: status.DEADLINE_EXCEEDED, details: error.message };
      }
      if (error instanceof UnreadableRequest) return statusOfRefusal(error.refusal);
      const answer = statusOfThrown(error);
      if (answer.code === status.INTERNAL) deps.logger.error({ service, method, err: error }, 'a handler failed');
      else if (error instanceof BusyFault) deps.logger.debug({ service, method }, error.message);
      else if (error instanceof CallerFault) deps.logger.info({ service, method, peer: call.getPeer() }, error.message);
      else deps.logger.warn({ service, method, err: error }, 'a backend is away');
      return answer;
    };
    return { context: { signal: controller.signal, peer: call.getPeer() }, finish, failed };
  };

  const stream = async <Response>(
    call: AnyWritable<Response>,
    type: GrpcMethodType,
    open: (context: CallContext) => AsyncGenerator<Response, Refusal | undefined>,
  ): Promise<void> => {
    const { context, finish, failed } = begin(call, type);
    let answer: Partial<StatusObject> | null = null;
    try {
      const refusal = await writeAll(call, open(context), context.signal, options.readerIdleMs);
      if (refusal !== undefined) answer = statusOfRefusal(refusal);
    } catch (error) {
      answer = failed(error);
    }
    finish(context.signal.aborted ? { code: status.CANCELLED } : answer);
    if (answer === null) call.end();
    else call.emit('error', answer);
  };

  return {
    unary: (handler) => (call, callback) => {
      const { context, finish, failed } = begin(call, 'unary');
      // A promise even when the handler throws before it makes one.
      const answered = (async () => handler(readRequest(call.request), context))();
      answered.then(
        (response) => {
          const answer = isRefusal(response) ? statusOfRefusal(response) : null;
          finish(answer);
          if (isRefusal(response)) callback(answer);
          else callback(null, response);
        },
        (error: unknown) => {
          const answer = failed(error);
          finish(answer);
          callback(answer);
        },
      );
    },
    serverStream: (handler) => (call) =>
      void stream(call, 'server_stream', (context) => handler(readRequest(call.request), context)),
    bidi: (handler) => (call) => {
      readOneAhead(call);
      void stream(call, 'bidi_stream', (context) =>
        // A handler may answer before it has read everything: leaving its loop must not destroy the stream that carries the answer.
        handler(readRequests(call.iterator({ destroyOnReturn: false })), context),
      );
    },
  };
}

/**
 * A call of grpc-js reads 16 messages ahead of its handler, whatever their size, and has no option about it. One is enough: the bytes of the next
 * wait in the receive window.
 */
function readOneAhead(call: object): void {
  const { _readableState: state } = call as { readonly _readableState?: { highWaterMark: number } };
  if (state !== undefined) state.highWaterMark = 1;
}

type AnyWritable<Response> = ServerWritableStream<unknown, Response> | ServerDuplexStream<unknown, Response>;

/** Writes as fast as the caller takes it. However it ends, the generator's `finally` has run. @throws {ReaderIdle} */
async function writeAll<Response>(
  call: AnyWritable<Response>,
  responses: AsyncGenerator<Response, Refusal | undefined>,
  signal: AbortSignal,
  readerIdleMs: number,
): Promise<Refusal | undefined> {
  try {
    for (;;) {
      const next = await responses.next();
      if (next.done === true) return isRefusal(next.value) ? next.value : undefined;
      signal.throwIfAborted();
      if (!call.write(next.value)) await drained(call, signal, readerIdleMs);
    }
  } finally {
    await responses.return(undefined);
  }
}

/** The caller is there and takes nothing. */
class ReaderIdle extends Error {
  override readonly name = 'ReaderIdle';
}

/** Resolves when what was written has been taken. A slow reader is waited for as long as it takes one message within the limit. */
async function drained(call: AnyWritable<never>, signal: AbortSignal, readerIdleMs: number): Promise<void> {
  while (call.writableNeedDrain) {
    const waiting = call.writableLength;
    const idle = new AbortController();
    const timer = setTimeout(() => idle.abort(), readerIdleMs);
    try {
      await once(call, 'drain', { signal: AbortSignal.any([signal, idle.signal]) });
    } catch (error) {
      if (signal.aborted || !idle.signal.aborted) throw error;
      if (call.writableLength >= waiting)
        throw new ReaderIdle(
          `the reader took nothing for ${readerIdleMs} ms: read faster, and go on from where it ended`,
        );
    } finally {
      clearTimeout(timer);
    }
  }
}
