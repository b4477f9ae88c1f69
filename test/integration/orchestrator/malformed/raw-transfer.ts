import { TransferServiceService } from '@flexlora/contracts/transfer';
import type { OpenUploadResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import { type ClientConstructor, callUnary, connectClient } from '@flexlora/runtime';
import { type Client, type ClientDuplexStream, makeGenericClientConstructor } from '@grpc/grpc-js';
import { METHODS, type Method } from './malformed-upload.ts';

/** A client of the transfer service that sends whatever bytes it is given as messages. */
export interface RawTransfer {
  openUpload(message: Buffer): Promise<OpenUploadResponse>;
  /** Any method but UploadUpdate. */
  call(method: Exclude<Method, 'uploadUpdate'>, message: Buffer): Promise<unknown>;
  /** Sends the messages and resolves when the call has ended well. Null: it is ended, not cancelled. */
  stream(messages: readonly Buffer[], cancelAfterTurns: number | null): Promise<void>;
  close(): void;
}

type UnaryMethod = Parameters<typeof callUnary<Buffer, unknown>>[1];

const deadline = { deadlineMs: 60_000 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const asItIs = (bytes: Buffer): Buffer => bytes;

export function connectRawTransfer(target: string): RawTransfer {
  const methods = METHODS.map((method) => [method, { ...TransferServiceService[method], requestSerialize: asItIs }]);
  const Constructor = makeGenericClientConstructor(Object.fromEntries(methods), 'raw') as unknown as ClientConstructor<
    Client & Record<Method, UnaryMethod>
  >;
  const client = connectClient(Constructor, { target, tls: null });
  const call: RawTransfer['call'] = (method, message) => callUnary(client, client[method], message, deadline);
  return {
    call,
    openUpload: (message) => call('openUpload', message) as Promise<OpenUploadResponse>,
    stream: async (messages, cancelAfterTurns) => {
      const open = client.uploadUpdate as unknown as (options: object) => ClientDuplexStream<Buffer, unknown>;
      const stream = open.call(client, { deadline: Date.now() + deadline.deadlineMs });
      for (const message of messages) stream.write(message);
      if (cancelAfterTurns === null) stream.end();
      else void cancelLater(stream, cancelAfterTurns);
      for await (const _response of stream);
    },
    close: () => client.close(),
  };
}

async function cancelLater(stream: ClientDuplexStream<Buffer, unknown>, turns: number): Promise<void> {
  for (let left = turns; left > 0; left -= 1) await turn();
  stream.cancel();
}
