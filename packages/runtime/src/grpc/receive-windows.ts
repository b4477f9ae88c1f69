import type { ServerHttp2Session, Settings } from 'node:http2';
import type { Server } from '@grpc/grpc-js';

/** Bytes that may be on their way to a server on one stream before it reads them: what a sender whom nobody reads makes it hold. */
export interface ReceiveWindows {
  /** Where an answer takes no time. */
  readonly leastBytes: number;
  /** From a round trip of `mostMs` on; in between in proportion to it. */
  readonly mostBytes: number;
  readonly mostMs: number;
}

/** What a server of grpc-js 1.14 has and does not promise. */
interface Internals {
  readonly commonServerOptions?: { settings?: Settings };
  createHttp2Server?: (credentials: unknown) => {
    on(event: 'session', listen: (session: ServerHttp2Session) => void): unknown;
  };
}

/**
 * Lets as many bytes be on their way to this server on each stream as its distance wants, and the most on each connection. A server of grpc-js keeps
 * Node's 64 KiB, which is all that an upload moves in a round trip, and heeds no option about it. Before the server is bound.
 *
 * @throws when this version of grpc-js is made otherwise: uploads would be slow, and nobody would know why.
 */
export function widenReceiveWindows(server: Server, windows: ReceiveWindows): void {
  const internals = server as unknown as Internals;
  const { commonServerOptions, createHttp2Server } = internals;
  if (typeof commonServerOptions !== 'object' || typeof createHttp2Server !== 'function') {
    throw new Error(
      'servers of this version of @grpc/grpc-js have no commonServerOptions and createHttp2Server, by which their receive windows are set; use the version in package-lock.json',
    );
  }
  commonServerOptions.settings = { ...commonServerOptions.settings, initialWindowSize: windows.leastBytes };
  internals.createHttp2Server = (credentials) => {
    const http2Server = createHttp2Server.call(server, credentials);
    http2Server.on('session', (session) => widen(session, windows));
    return http2Server;
  };
}

/** Streams that are open take part in a change of the setting, so that nothing waits for the answer to the ping. */
function widen(session: ServerHttp2Session, windows: ReceiveWindows): void {
  // The setting is of streams; a connection's own window is widened by itself.
  session.setLocalWindowSize(windows.mostBytes);
  session.ping((error, roundTripMs) => {
    if (error !== null || session.destroyed) return;
    const initialWindowSize = windowBytes(windows, roundTripMs);
    if (initialWindowSize > windows.leastBytes) session.settings({ initialWindowSize });
  });
}

export const windowBytes = ({ leastBytes, mostBytes, mostMs }: ReceiveWindows, roundTripMs: number): number =>
  Math.round(Math.min(mostBytes, Math.max(leastBytes, (mostBytes * roundTripMs) / mostMs)));
