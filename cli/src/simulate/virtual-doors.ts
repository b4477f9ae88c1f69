import type { PlatformDoor } from '@flexlora/client-agent';
import { AgentServiceClient } from '@flexlora/contracts/agent/v1/agent_service';
import { TransferServiceClient } from '@flexlora/contracts/transfer';
import { type ChannelOptions, type ClientConstructor, connectClient } from '@flexlora/runtime';
import { AGENTS_PER_DOOR } from './limits.ts';

/** Connections that some agents share: fewer sockets than agents, and many more than one. */
export interface VirtualDoors {
  /** Opened with the first of its agents. */
  of(index: number): PlatformDoor;
  close(): void;
}

export function createVirtualDoors(platform: ChannelOptions): VirtualDoors {
  const doors: PlatformDoor[] = [];
  const open = (): PlatformDoor => {
    const agents = connectClient(withOwnConnections<AgentServiceClient>(AgentServiceClient), platform);
    const transfers = connectClient(withOwnConnections<TransferServiceClient>(TransferServiceClient), platform);
    return {
      agents,
      transfers,
      close: () => {
        agents.close();
        transfers.close();
      },
    };
  };
  return {
    of: (index) => {
      const at = Math.floor(index / AGENTS_PER_DOOR);
      const door = doors[at] ?? open();
      doors[at] = door;
      return door;
    },
    close: () => {
      for (const door of doors) door?.close();
    },
  };
}

/** Clients of one target share their connections in a process, unless told not to. */
const withOwnConnections = <Client extends object>(Constructor: ClientConstructor<Client>): ClientConstructor<Client> =>
  new Proxy(Constructor, {
    construct: (_Constructor, given) => {
      const [address, credentials, options] = given as ConstructorParameters<ClientConstructor<Client>>;
      return new Constructor(address, credentials, { ...options, 'grpc.use_local_subchannel_pool': 1 });
    },
  });
