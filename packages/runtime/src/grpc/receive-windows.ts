import type { ServerHttp2Session, Settings } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** What a server of grpc-js 1.14 has and does not promise. */
interface Internals {
  readonly commonServerOptions?: { settings?: Settings };
  createHttp2Server?: (credentials: unknown) => {
    on(event: 'session', listen: (session: ServerHttp2Session) => void): unknown;
  };
}

/**
 * Lets so many bytes be on their way to this server on each stream, and on each connection, before it reads them. A server of grpc-js keeps
 * Node's 64 KiB, which is all that an upload moves in a round trip, and heeds no option about it. Before the server is bound.
 *
 * @throws when this version of grpc-js is made otherwise: uploads would be slow, and nobody would know why.
 */
export function widenReceiveWindows(server: Server, bytes: number): void {
  const internals = server as unknown as Internals;
  const { commonServerOptions, createHttp2Server } = internals;
  if (typeof commonServerOptions !== 'object' || typeof createHttp2Server !== 'function') {
    throw new Error(
      'servers of this version of @grpc/grpc-js have no commonServerOptions and createHttp2Server, by which their receive windows are set; use the version in package-lock.json',
    );
  }
  commonServerOptions.settings = { ...commonServerOptions.settings, initialWindowSize: bytes };
  internals.createHttp2Server = (credentials) => {
    const http2Server = createHttp2Server.call(server, credentials);
    // The setting is of streams; a connection's own window is widened by itself.
    http2Server.on('session', (session) => session.setLocalWindowSize(bytes));
    return http2Server;
  };
}
