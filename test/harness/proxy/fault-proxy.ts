import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A TCP relay that can lose answers: what a network does at the worst moment. */
export interface FaultProxy {
  readonly port: number;
  /** The next bytes that the server answers are thrown away and that connection is cut; the server has done what it was asked. */
  loseNextAnswer(): void;
  /** Connections that are open now stay open and never answer again, as when the other side vanished; new ones work. */
  freezeConnections(): void;
  /** Cuts every connection that is open now, whatever is on its way. */
  cutConnections(): void;
  /** The most connections that were open at one time. */
  connectionsMost(): number;
  close(): Promise<void>;
}

export async function openFaultProxy(targetPort: number): Promise<FaultProxy> {
  let nextAnswer: 'pass' | 'lose' = 'pass';
  const sockets = new Set<Socket>();
  const upstreams = new Set<Socket>();
  let connectionsMost = 0;

  const server = createServer((client) => {
    const upstream = connect(targetPort, '127.0.0.1');
    upstreams.add(upstream);
    connectionsMost = Math.max(connectionsMost, upstreams.size);
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        upstreams.delete(socket);
        cut();
      });
    }
    client.pipe(upstream);
    upstream.on('data', (bytes) => {
      switch (nextAnswer) {
        case 'pass':
          client.write(bytes);
          return;
        case 'lose':
          nextAnswer = 'pass';
          cut();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    loseNextAnswer() {
      nextAnswer = 'lose';
    },
    freezeConnections() {
      for (const upstream of upstreams) upstream.pause();
    },
    cutConnections() {
      for (const socket of sockets) socket.destroy();
    },
    connectionsMost: () => connectionsMost,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
