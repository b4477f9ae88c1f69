import type { PlatformDoor } from '@flexlora/client-agent';
import type { CommitUploadResponse, UploadUpdateResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import type { ReceiptWatch } from '../checks/receipt-watch.ts';

type Transfers = PlatformDoor['transfers'];
type Heard = (error: Error | null, response: CommitUploadResponse) => void;

/** The same client; what it hears of a commit, by the call or by the stream, is an acknowledgement, from the moment it is heard. */
export function receiptsOf(transfers: Transfers, agentId: string, receipts: ReceiptWatch): Transfers {
  const acknowledged = ({ round, sha256 }: CommitUploadResponse): void =>
    receipts.acknowledged({ agentId, round, digest: sha256 });

  const commitUpload = (...args: readonly unknown[]): unknown => {
    const heard = args.at(-1) as Heard;
    const listen: Heard = (error, response) => {
      if (error === null) acknowledged(response);
      heard(error, response);
    };
    return (transfers.commitUpload as unknown as (...all: readonly unknown[]) => unknown).apply(transfers, [
      ...args.slice(0, -1),
      listen,
    ]);
  };

  const uploadUpdate = () => {
    const stream = transfers.uploadUpdate();
    const answers: () => AsyncIterator<UploadUpdateResponse> = stream[Symbol.asyncIterator].bind(stream);
    return Object.assign(stream, {
      async *[Symbol.asyncIterator]() {
        for await (const answer of { [Symbol.asyncIterator]: answers }) {
          if (answer.receipt !== undefined) acknowledged(answer.receipt);
          yield answer;
        }
      },
    });
  };

  const watched: Readonly<Record<string | symbol, unknown>> = { commitUpload, uploadUpdate };
  return new Proxy(transfers, {
    get: (target, name) => (Object.hasOwn(watched, name) ? watched[name] : Reflect.get(target, name)),
  });
}
