import type { ServerInterceptor } from '@grpc/grpc-js';
import { takeMemory } from './message-memory.ts';

/** Cuts the bytes of a stream into messages of gRPC, each with its prefix: a flag and a length. */
export interface MessageDecoder {
  /** @throws for a message above the limit, as soon as its length came. */
  write(data: Buffer): Buffer[];
}

const PREFIX_BYTES = 5;

/**
 * Copies the bytes of each message to their place as they come. grpc-js keeps them as they came until the message is whole: with many
 * streams they outlive the young generation by then, and are collected with all that is old.
 */
export function createMessageDecoder(bytesMax: number): MessageDecoder {
  const prefix = Buffer.alloc(PREFIX_BYTES);
  let prefixFilled = 0;
  let message: Buffer | null = null;
  let filled = 0;

  function begin(): Buffer {
    const bytes = prefix.readUInt32BE(1);
    if (bytes > bytesMax)
      throw new Error(`the message has ${bytes} bytes; allowed: at most ${bytesMax}: send less in one message`);
    const begun = takeMemory(PREFIX_BYTES + bytes);
    filled = prefix.copy(begun);
    prefixFilled = 0;
    return begun;
  }

  return {
    write(data) {
      const messages: Buffer[] = [];
      for (let at = 0; at < data.byteLength; ) {
        if (message === null) {
          const copied = data.copy(prefix, prefixFilled, at);
          at += copied;
          prefixFilled += copied;
          if (prefixFilled < PREFIX_BYTES) break;
          message = begin();
        }
        const copied = data.copy(message, filled, at);
        at += copied;
        filled += copied;
        if (filled < message.byteLength) break;
        messages.push(message);
        message = null;
      }
      return messages;
    },
  };
}

/** Of one request, in bytes: of calls that stream them, and of all others. */
export interface RequestLimits {
  readonly streamedBytesMax: number;
  readonly bytesMax: number;
}

/** Reads the requests of every call by this decoder. Where a version of grpc-js has no place for it, its own reads them, slower. */
export const decodeRequests =
  ({ streamedBytesMax, bytesMax }: RequestLimits): ServerInterceptor =>
  ({ requestStream }, call) => {
    // What a call of grpc-js 1.14 has and does not promise.
    const internals = call as unknown as { decoder?: MessageDecoder };
    if (typeof internals.decoder?.write === 'function')
      internals.decoder = createMessageDecoder(requestStream ? streamedBytesMax : bytesMax);
    return call as never;
  };
