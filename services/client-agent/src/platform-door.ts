import { AgentServiceClient } from '@flexlora/contracts/agent/v1/agent_service';
import { TransferServiceClient } from '@flexlora/contracts/transfer';
import { type ChannelOptions, grpcTransport, type Transport } from '@flexlora/runtime';

/** The platform's two services for agents, reached. Any number of agents of one process may share it. */
export interface PlatformDoor {
  readonly agents: AgentServiceClient;
  readonly transfers: TransferServiceClient;
  close(): void;
}

export interface PlatformDoorOptions {
  readonly control: ChannelOptions;
  /** Where bytes go; the control target when absent. */
  readonly transfer?: ChannelOptions;
}

export function createPlatformDoor(
  { control, transfer = control }: PlatformDoorOptions,
  { transport = grpcTransport }: { readonly transport?: Transport } = {},
): PlatformDoor {
  const agents = transport.connect(AgentServiceClient, control);
  const transfers = transport.connect(TransferServiceClient, transfer);
  return {
    agents,
    transfers,
    close: () => {
      agents.close();
      transfers.close();
    },
  };
}
