import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { createWay, QUEUED_BYTES_MAX, type Way } from './way.ts';

/** A TCP relay that can lose answers, hold what passes, take its time, and be cut: what a network does at the worst moment. */
export interface FaultProxy {
  readonly port: number;
  /** The next bytes that the server answers are thrown away and that connection is cut; the server has done what it was asked. */
  loseNextAnswer(): void;
  /** Connections that are open now stay open and never answer again, as when the other side vanished; new ones work. */
  freezeConnections(): void;
  /** Cuts every connection that is open now, whatever is on its way. */
  cutConnections(): void;
  /** Cuts every connection, and each that is opened, until `mend`. */
  cut(): void;
  mend(): void;
  /** Whatever passes takes so much longer, each way; 0 is no longer. */
  delay(ms: number): void;
  /** Lets so many more bytes pass that way, over all connections together; then they stay, and what follows waits, until `letGo`. */
  holdAfter(direction: Direction, bytes: number): void;
  /** Whether something waits that way because of `holdAfter`. */
  isHolding(direction: Direction): boolean;
  letGo(): void;
  /** The most connections that were open at one time. */
  connectionsMost(): number;
  /** Bytes that have passed since it was opened. */
  passed(direction: Direction): number;
  close(): Promise<void>;
}

export type Direction = 'toServer' | 'toClient';

export interface FaultProxyOptions {
  readonly queuedBytesMax?: number;
  /** Called for each connection: what it gives hears every byte that the client says on it, before it passes. */
  readonly listen?: () => (bytes: Buffer) => void;
}

export async function openFaultProxy(
  targetPort: number,
  { queuedBytesMax = QUEUED_BYTES_MAX, listen }: FaultProxyOptions = {},
): Promise<FaultProxy> {
  let nextAnswer: 'pass' | 'lose' = 'pass';
  let isCut = false;
  const ways: Readonly<Record<Direction, Way>> = {
    toServer: createWay(queuedBytesMax),
    toClient: createWay(queuedBytesMax),
  };
  const sockets = new Set<Socket>();
  const upstreams = new Map<Socket, () => void>();
  let connectionsMost = 0;

  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (isCut) {
      client.destroy();
      return;
    }
    const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true });
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        upstreams.delete(upstream);
      });
    }
    const hear = listen?.();
    ways.toServer.carry(client, upstream, (bytes) => {
      hear?.(bytes);
      return 'pass';
    });
    const answers = ways.toClient.carry(upstream, client, () => {
      if (nextAnswer === 'pass') return 'pass';
      nextAnswer = 'pass';
      cut();
      return 'drop';
    });
    upstreams.set(upstream, answers.freeze);
    connectionsMost = Math.max(connectionsMost, upstreams.size);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const cutConnections = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer() {
      nextAnswer = 'lose';
    },
    freezeConnections() {
      for (const freeze of upstreams.values()) freeze();
    },
    cutConnections,
    cut() {
      isCut = true;
      cutConnections();
    },
    mend() {
      isCut = false;
    },
    delay(ms) {
      for (const way of Object.values(ways)) way.delay(ms);
    },
    holdAfter: (direction, bytes) => ways[direction].holdAfter(bytes),
    isHolding: (direction) => ways[direction].isHolding(),
    letGo() {
      for (const way of Object.values(ways)) way.letGo();
    },
    connectionsMost: () => connectionsMost,
    passed: (direction) => ways[direction].passed(),
    async close() {
      for (const way of Object.values(ways)) way.letGo();
      cutConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
