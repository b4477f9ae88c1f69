/** By what bytes are moved: plain HTTP/2 streams, grpc-js as it comes, or the platform's own client and server. */
export type Way = 'raw' | 'stock' | 'flexlora';
export const WAYS: readonly Way[] = ['raw', 'stock', 'flexlora'];

/** `up` to the server, `down` from it. */
export type Direction = 'up' | 'down';
export const DIRECTIONS: readonly Direction[] = ['up', 'down'];

export interface TransferCase {
  readonly direction: Direction;
  /** Of the link, for a round trip. */
  readonly roundTripMs: number;
  readonly tls: boolean;
  /** At the same time, each on a connection of its own. */
  readonly transfers: number;
  readonly bytesEach: number;
}

/** As agents send them, and the server. */
export const CHUNK_BYTES = 256 << 10;
/** Of plain HTTP/2: the platform's own. */
export const WINDOW_BYTES = 14 << 20;

/** What a server is told on its command line. */
export interface ServerOrder {
  readonly way: Way;
  readonly tls: { readonly certificate: string; readonly key: string } | null;
}

/** A stock server moves a window of 64 KiB a round trip: a hundredth of the bytes tells its rate as well. */
const SLOW_SHARE = 64;

export const bytesOf = ({ roundTripMs, bytesEach }: TransferCase, way: Way): number =>
  way === 'stock' && roundTripMs > 0 ? Math.max(CHUNK_BYTES, Math.floor(bytesEach / SLOW_SHARE)) : bytesEach;

export const nameOf = ({ direction, roundTripMs, tls, transfers, bytesEach }: TransferCase): string =>
  `${direction}, ${transfers} × ${bytesEach / 2 ** 20} MiB, ${roundTripMs} ms${tls ? ', TLS' : ''}`;
