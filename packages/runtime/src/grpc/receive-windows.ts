import type { IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream, Settings } from 'node:http2';
import type { Server, ServiceDefinition } from '@grpc/grpc-js';

/** Bytes that may be on their way to a server on one stream before it reads them: what a sender whom nobody reads makes it hold. */
export interface ReceiveWindows {
  /** Where an answer takes no time and many send. */
  readonly leastBytes: number;
  /** Of near calls that send, together: a window that is read in less time than an answer takes to be noticed holds a fast sender up. */
  readonly nearBytes: number;
  /** From a round trip of `mostMs` on; in between in proportion to it. */
  readonly mostBytes: number;
  readonly mostMs: number;
  /** More calls than this that send at once share what so many would have: a process has no more to gain from their windows, but holds what waits in them. */
  readonly sharedBeyond: number;
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
 * @param services calls of theirs that stream requests share the windows.
 * @throws when this version of grpc-js is made otherwise: uploads would be slow, and nobody would know why.
 */
export function widenReceiveWindows(
  server: Server,
  windows: ReceiveWindows,
  services: readonly ServiceDefinition[],
): void {
  const internals = server as unknown as Internals;
  const { commonServerOptions, createHttp2Server } = internals;
  if (typeof commonServerOptions !== 'object' || typeof createHttp2Server !== 'function') {
    throw new Error(
      'servers of this version of @grpc/grpc-js have no commonServerOptions and createHttp2Server, by which their receive windows are set; use the version in package-lock.json',
    );
  }
  commonServerOptions.settings = { ...commonServerOptions.settings, initialWindowSize: windows.leastBytes };
  const methods = services.flatMap((definition) => Object.values(definition));
  const senders = {
    paths: new Set(methods.filter(({ requestStream }) => requestStream).map(({ path }) => path)),
    open: 0,
  };
  internals.createHttp2Server = (credentials) => {
    const http2Server = createHttp2Server.call(server, credentials);
    http2Server.on('session', (session) => widen(session, windows, senders));
    return http2Server;
  };
}

/** Calls that stream requests, over all connections of a server. */
interface Senders {
  readonly paths: ReadonlySet<string>;
  open: number;
}

/** A process that has much to do answers late, and so does one at the other end: the quickest of some answers is nearest to the distance. */
const PINGS_AFTER_MS = [250, 1_000];
/** What is told anew differs by so much: each time costs the client an answer. */
const TOLD_ANEW = 1.25;

/** Streams that are open take part in a change of the setting, so that nothing waits for the answer to the ping. */
function widen(session: ServerHttp2Session, windows: ReceiveWindows, senders: Senders): void {
  let leastMs = Number.POSITIVE_INFINITY;
  let told = windows.leastBytes;
  const measure = (): void => {
    if (session.closed || session.destroyed) return;
    session.ping((error, roundTripMs) => {
      if (error !== null || session.closed || session.destroyed) return;
      leastMs = Math.min(leastMs, roundTripMs);
      const bytes = windowBytes(windows, leastMs, senders.open);
      if (bytes < told * TOLD_ANEW && told < bytes * TOLD_ANEW) return;
      told = bytes;
      session.settings({ initialWindowSize: bytes });
    });
  };
  // The setting is of streams; a connection's own window is widened by itself.
  session.setLocalWindowSize(windows.mostBytes);
  measure();
  session.on('stream', (stream: ServerHttp2Stream, { ':path': path = '' }: IncomingHttpHeaders) => {
    if (!senders.paths.has(path)) return;
    senders.open += 1;
    const timers = PINGS_AFTER_MS.map((ms) => setTimeout(measure, ms).unref());
    stream.once('close', () => {
      senders.open -= 1;
      for (const timer of timers) clearTimeout(timer);
    });
    measure();
  });
}

/** Of each stream, at this round trip and with so many calls that send. */
export function windowBytes(
  { leastBytes, nearBytes, mostBytes, mostMs, sharedBeyond }: ReceiveWindows,
  roundTripMs: number,
  senders: number,
): number {
  const wanted = Math.min(mostBytes, (mostBytes * roundTripMs) / mostMs);
  const sharing = Math.max(1, senders);
  return Math.round(Math.max(leastBytes, nearBytes / sharing, wanted * Math.min(1, sharedBeyond / sharing)));
}
