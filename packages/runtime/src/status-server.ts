import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';

/** `/livez`, `/readyz` and `/metrics` on a plain HTTP port beside gRPC. */
export interface StatusServer {
  readonly port: number;
  close(): Promise<void>;
}

export interface StatusServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly registry: Registry;
  /** Null when ready, else one sentence that says why not. */
  readonly whyNotReady: () => Promise<string | null>;
}

const REQUEST_MS_MAX = 5_000;

export async function createStatusServer(options: StatusServerOptions): Promise<StatusServer> {
  const server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
    const send = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type });
      response.end(body);
    };
    const answer = async (): Promise<void> => {
      switch (request.url?.split('?')[0]) {
        // That this line runs is the proof: the event loop turns.
        case '/livez':
          return send(200, 'text/plain', 'ok\n');
        case '/readyz': {
          const reason = await options.whyNotReady();
          return reason === null ? send(200, 'text/plain', 'ok\n') : send(503, 'text/plain', `${reason}\n`);
        }
        case '/metrics':
          return send(200, options.registry.contentType, await options.registry.metrics());
        default:
          return send(404, 'text/plain', 'got a path that is not served; allowed: /livez, /readyz, /metrics\n');
      }
    };
    answer().catch((error: unknown) => send(500, 'text/plain', `${String(error)}\n`));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve, reject) => {
        server.close((error) => (error === undefined ? resolve() : reject(error)));
        server.closeAllConnections();
      }),
  };
}
