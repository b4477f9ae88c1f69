/**
 * By what bytes are moved: plain HTTP/2 streams; the S3 client itself, from the agent; grpc-js as it comes, with the S3 client's managed uploads
 * behind it; or the platform's own client and server.
 */
export type Way = 'raw' | 'direct' | 'stock' | 'flexlora';

/** Where bytes end: in a server that keeps nothing, or in S3. */
export type Far = 'sink' | 's3';
export const FARS: readonly Far[] = ['sink', 's3'];

/** The first of each is what the others are measured against. */
export const WAYS_TO: Readonly<Record<Far, readonly Way[]>> = {
  sink: ['raw', 'stock', 'flexlora'],
  s3: ['direct', 'stock', 'flexlora'],
};

/** `up` to the server, `down` from it. */
export type Direction = 'up' | 'down';
export const DIRECTIONS: readonly Direction[] = ['up', 'down'];

export interface TransferCase {
  readonly far: Far;
  readonly direction: Direction;
  /** Of the link, for a round trip. */
  readonly roundTripMs: number;
  readonly tls: boolean;
  readonly transfers: number;
  /** The others wait for their turn. */
  readonly atOnce: number;
  readonly bytesEach: number;
}

/** As agents send them, and the server. */
export const CHUNK_BYTES = 256 << 10;
/** Of plain HTTP/2: the platform's own. */
export const WINDOW_BYTES = 14 << 20;
/** So many uploads the platform's service takes by default; the others are told to come back. */
export const UPLOADS_MAX = 64;
export const DOWNLOADS_MAX = 256;

export interface S3Place {
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** What a server is told on its command line. */
export interface ServerOrder {
  readonly way: Way;
  readonly tls: { readonly certificate: string; readonly key: string } | null;
  /** Null: it keeps nothing. */
  readonly s3: S3Place | null;
  readonly bytesEach: number;
}

/** What a client is told on its command line. */
export interface ClientOrder {
  readonly way: Way;
  readonly direction: Direction;
  readonly transfers: number;
  readonly atOnce: number;
  readonly bytesEach: number;
  /** Of the server, or of the link before it. */
  readonly port: number;
  /** PEM of who signed the server's certificate; null speaks plain text. */
  readonly ca: string | null;
  readonly s3: S3Place | null;
}

/** A stock server moves a window of 64 KiB a round trip: a hundredth of the bytes tells its rate as well. */
const SLOW_SHARE = 64;

export const bytesOf = ({ roundTripMs, bytesEach }: TransferCase, way: Way): number =>
  way === 'stock' && roundTripMs > 0 ? Math.max(CHUNK_BYTES, Math.floor(bytesEach / SLOW_SHARE)) : bytesEach;

export const nameOf = ({ far, direction, roundTripMs, tls, transfers, bytesEach }: TransferCase): string =>
  `${far} ${direction}, ${transfers} × ${bytesEach / 2 ** 20} MiB, ${roundTripMs} ms${tls ? ', TLS' : ''}`;
