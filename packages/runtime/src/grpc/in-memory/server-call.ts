import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type MethodDefinition,
  type StatusObject,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { type CallFrame, MESSAGE_BYTES_MAX, type Outlet, type ReplyFrame, type RequestFrame } from './frame.ts';

export interface ServedMethod {
  readonly definition: MethodDefinition<unknown, unknown>;
  readonly handle: UntypedHandleCall;
}

/** The server's end of a call. */
export interface ServerEnd {
  deliver(frame: RequestFrame): void;
  /** The caller gave up, or the line broke. */
  cancel(): void;
}

/** Calls the handler, with what `createHandlerAdapter` uses of grpc-js' call objects. */
export function beginServerCall(
  method: ServedMethod,
  call: CallFrame,
  line: Outlet<ReplyFrame> & { readonly peer: string },
): ServerEnd {
  const { requestStream, responseStream } = method.definition;
  if (!requestStream && !responseStream) return beginUnary(method, call, line);
  const stream = new ServerStream(method.definition, call, line);
  if (requestStream) (method.handle as handleBidiStreamingCall<unknown, unknown>)(stream as never);
  else (method.handle as handleServerStreamingCall<unknown, unknown>)(stream as never);
  return {
    deliver: (frame) => {
      if (frame.kind === 'message') stream.push(method.definition.requestDeserialize(frame.bytes));
      if (frame.kind === 'halfClose') stream.push(null);
    },
    cancel: () => {
      stream.cancelled = true;
      stream.emit('cancelled', 'cancelled');
      stream.destroy();
    },
  };
}

function beginUnary(
  { definition, handle }: ServedMethod,
  { path, metadata, request }: CallFrame,
  line: Outlet<ReplyFrame> & { readonly peer: string },
): ServerEnd {
  const call = Object.assign(new EventEmitter(), {
    request: definition.requestDeserialize(request ?? Buffer.alloc(0)),
    metadata,
    cancelled: false,
    getPath: () => path,
    getPeer: () => line.peer,
  });
  (handle as handleUnaryCall<unknown, unknown>)(call as never, (error, response) => {
    if (error !== null) {
      line.send({ kind: 'answer', bytes: null, status: statusOf(error) });
      return;
    }
    const bytes = definition.responseSerialize(response);
    const tooLarge = sizeProblem(bytes);
    line.send({ kind: 'answer', bytes: tooLarge === null ? bytes : null, status: tooLarge ?? OK });
  });
  return {
    deliver: () => {},
    cancel: () => {
      call.cancelled = true;
      call.emit('cancelled', 'cancelled');
    },
  };
}

class ServerStream extends Duplex {
  readonly metadata: Metadata;
  readonly request: unknown;
  cancelled = false;
  readonly #definition: MethodDefinition<unknown, unknown>;
  readonly #path: string;
  readonly #line: Outlet<ReplyFrame> & { readonly peer: string };
  #final: StatusObject = OK;

  constructor(
    definition: MethodDefinition<unknown, unknown>,
    { path, metadata, request }: CallFrame,
    line: Outlet<ReplyFrame> & { readonly peer: string },
  ) {
    super({ objectMode: true });
    this.metadata = metadata;
    this.#definition = definition;
    this.#path = path;
    this.#line = line;
    this.request = request === null ? undefined : definition.requestDeserialize(request);
    // A handler tells its status by an error, after what it has written.
    this.on('error', (error) => {
      this.#final = statusOf(error);
      this.end();
    });
  }

  getPath(): string {
    return this.#path;
  }

  getPeer(): string {
    return this.#line.peer;
  }

  override _read(): void {
    this.#line.take();
  }

  override _write(response: unknown, _encoding: string, onTaken: (error?: Error | null) => void): void {
    const bytes = this.#definition.responseSerialize(response);
    const tooLarge = sizeProblem(bytes);
    if (tooLarge === null) this.#line.send({ kind: 'message', bytes }, onTaken);
    else onTaken(Object.assign(new Error(tooLarge.details), tooLarge));
  }

  override _final(onDone: (error?: Error | null) => void): void {
    onDone();
    this.#line.send({ kind: 'status', status: this.#final });
  }
}

const OK: StatusObject = { code: status.OK, details: 'OK', metadata: new Metadata() };

function sizeProblem(bytes: Buffer): StatusObject | null {
  if (bytes.byteLength <= MESSAGE_BYTES_MAX) return null;
  const details = `a message has ${bytes.byteLength} bytes; allowed: ${MESSAGE_BYTES_MAX}`;
  return { code: status.RESOURCE_EXHAUSTED, details, metadata: new Metadata() };
}

function statusOf(error: object): StatusObject {
  const { code = status.UNKNOWN, details = 'Unknown Error', metadata } = error as Partial<StatusObject>;
  return { code, details, metadata: metadata?.clone() ?? new Metadata() };
}
