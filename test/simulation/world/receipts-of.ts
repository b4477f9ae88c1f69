import type { PlatformDoor } from '@flexlora/client-agent';
import type { CommitUploadResponse } from '@flexlora/contracts/transfer/v1/transfer_service';
import type { ReceiptWatch } from '../checks/receipt-watch.ts';

type Transfers = PlatformDoor['transfers'];
type Heard = (error: Error | null, response: CommitUploadResponse) => void;

/** The same client; what it hears of a commit is an acknowledgement, from the moment it is heard. */
export function receiptsOf(transfers: Transfers, agentId: string, receipts: ReceiptWatch): Transfers {
  const commitUpload = (...args: readonly unknown[]): unknown => {
    const heard = args.at(-1) as Heard;
    const listen: Heard = (error, response) => {
      if (error === null) receipts.acknowledged({ agentId, round: response.round, digest: response.sha256 });
      heard(error, response);
    };
    return (transfers.commitUpload as unknown as (...all: readonly unknown[]) => unknown).apply(transfers, [
      ...args.slice(0, -1),
      listen,
    ]);
  };
  return new Proxy(transfers, {
    get: (target, name) => (name === 'commitUpload' ? commitUpload : Reflect.get(target, name)),
  });
}
