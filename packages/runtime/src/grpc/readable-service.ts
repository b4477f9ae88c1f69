import { type Refusal, refuse } from '@flexlora/core';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';

/** Stands where a message should: its bytes are not what the method takes. Handlers never see it: their adapter answers its refusal. */
export class UnreadableRequest extends Error {
  override readonly name = 'UnreadableRequest';
  readonly refusal: Refusal;

  constructor(path: string, cause: unknown) {
    super(`${path} cannot read its request`, { cause });
    const why = cause instanceof Error ? cause.message : String(cause);
    this.refusal = refuse(
      'badMessage',
      `${this.message} (${why}); allowed: the message of its proto file, with whole numbers up to ${Number.MAX_SAFE_INTEGER}: send it with a client made from that file`,
    );
  }
}

/** The same service, whose requests are read without an exception: grpc-js would make INTERNAL of it, which callers take for a fault that passes. */
export function readableService(service: ServiceDefinition): ServiceDefinition {
  const methods = Object.entries<MethodDefinition<unknown, unknown>>(service).map(
    ([name, method]) => [name, { ...method, requestDeserialize: readableRequest(method) }] as const,
  );
  return Object.fromEntries(methods);
}

const readableRequest =
  ({ path, requestDeserialize }: MethodDefinition<unknown, unknown>) =>
  (bytes: Buffer): unknown => {
    try {
      return requestDeserialize(bytes);
    } catch (error) {
      return new UnreadableRequest(path, error);
    }
  };

/** @throws {UnreadableRequest} */
export function readRequest<Request>(request: Request): Request {
  if (request instanceof UnreadableRequest) throw request;
  return request;
}

/** Its iterator throws an {@link UnreadableRequest}. */
export function readRequests<Request>(requests: AsyncIterable<Request>): AsyncIterable<Request> {
  return {
    [Symbol.asyncIterator]: () => {
      const iterator = requests[Symbol.asyncIterator]();
      return {
        next: async () => {
          const next = await iterator.next();
          if (next.done !== true) readRequest(next.value);
          return next;
        },
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      };
    },
  };
}
