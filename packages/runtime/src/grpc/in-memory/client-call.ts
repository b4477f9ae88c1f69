import {
  InterceptingCall,
  type Interceptor,
  type InterceptorOptions,
  Metadata,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import type { Clock } from '../../clock.ts';
import { type CallFrame, MESSAGE_BYTES_MAX, type Outlet, type ReplyFrame, type RequestFrame } from './frame.ts';

/** What a caller has of its line: it sends, and gives up. */
export interface CallerLine extends Outlet<RequestFrame> {
  giveUp(): void;
  readonly peer: string;
}

/** The caller's end of a call. */
export interface CallerEnd {
  deliver(frame: ReplyFrame): void;
  /** The line broke: nothing more comes. */
  broken(details: string): void;
}

export interface CallerDeps {
  /** Of the caller's host: deadlines are read by it. */
  readonly clock: Clock;
  /** The caller's process is gone: its calls never settle. */
  readonly isDead: () => boolean;
  readonly open: (call: CallFrame, end: CallerEnd) => CallerLine;
}

type Call = ConstructorParameters<typeof InterceptingCall>[0];
type Listener = Parameters<Call['start']>[1];

/** The last interceptor of a client: it answers every call itself, so that none reaches a socket. */
export const callInMemory =
  (deps: CallerDeps): Interceptor =>
  (options) =>
    new InterceptingCall(createCall(deps, options));

function createCall(
  { clock, isDead, open }: CallerDeps,
  { method_definition: method, deadline }: InterceptorOptions,
): Call {
  const ended = new AbortController();
  let listener: Listener;
  let metadata = new Metadata();
  let line: CallerLine | null = null;
  let request: Buffer | null = null;

  const finish = (final: StatusObject): void => {
    if (ended.signal.aborted) return;
    ended.abort();
    // Never within the call that ended it, as over a socket.
    queueMicrotask(() => {
      if (!isDead()) listener?.onReceiveStatus?.(final);
    });
  };
  const giveUp = (code: status, details: string): void => {
    if (ended.signal.aborted) return;
    line?.giveUp();
    finish({ code, details, metadata: new Metadata() });
  };
  const end: CallerEnd = {
    deliver(frame) {
      if (ended.signal.aborted) return;
      switch (frame.kind) {
        case 'message':
          return listener?.onReceiveMessage?.(method.responseDeserialize(frame.bytes));
        case 'answer':
          if (frame.bytes !== null) listener?.onReceiveMessage?.(method.responseDeserialize(frame.bytes));
          return finish(frame.status);
        case 'status':
          return finish(frame.status);
      }
    },
    broken: (details) => finish({ code: status.UNAVAILABLE, details, metadata: new Metadata() }),
  };
  const dial = (): void => {
    if (!ended.signal.aborted) line = open({ kind: 'call', path: method.path, metadata, request }, end);
  };
  const send = (message: unknown, onTaken: () => void): void => {
    const bytes = method.requestSerialize(message);
    if (bytes.byteLength > MESSAGE_BYTES_MAX)
      giveUp(status.RESOURCE_EXHAUSTED, `a message has ${bytes.byteLength} bytes; allowed: ${MESSAGE_BYTES_MAX}`);
    else if (method.requestStream) line?.send({ kind: 'message', bytes }, onTaken);
    else {
      request = bytes;
      onTaken();
    }
  };

  return {
    start(first, given) {
      metadata = first.clone();
      listener = given;
      const leftMs = deadline === undefined ? Number.POSITIVE_INFINITY : Number(deadline) - clock.nowMs();
      if (Number.isFinite(leftMs)) {
        const expire = (): void =>
          giveUp(status.DEADLINE_EXCEEDED, `no answer came within ${Math.max(0, Math.round(leftMs))} ms`);
        clock.sleep(Math.max(0, leftMs), ended.signal).then(expire, () => {});
      }
      if (method.requestStream) dial();
    },
    sendMessageWithContext: ({ callback }, message) => send(message, () => callback?.()),
    sendMessage: (message) => send(message, () => {}),
    startRead: () => line?.take(),
    halfClose: () => (method.requestStream ? line?.send({ kind: 'halfClose' }) : dial()),
    cancelWithStatus: giveUp,
    getPeer: () => line?.peer ?? 'unknown',
    getAuthContext: () => null,
  };
}
