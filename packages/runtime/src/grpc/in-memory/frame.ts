import type { Metadata, StatusObject } from '@grpc/grpc-js';

/** What passes between the two ends of a call. Messages are bytes: nothing is shared, and the contracts are spoken. */
export type CallFrame = {
  readonly kind: 'call';
  readonly path: string;
  readonly metadata: Metadata;
  /** Null where the caller streams: its messages follow. */
  readonly request: Buffer | null;
};
export type MessageFrame = { readonly kind: 'message'; readonly bytes: Buffer };

/** From the caller to the server. */
export type RequestFrame = CallFrame | MessageFrame | { readonly kind: 'halfClose' };
/** From the server to the caller: `answer` is a unary response with its status. */
export type ReplyFrame =
  | MessageFrame
  | { readonly kind: 'answer'; readonly bytes: Buffer | null; readonly status: StatusObject }
  | { readonly kind: 'status'; readonly status: StatusObject };

/** One end's way of sending. */
export interface Outlet<Frame> {
  /** `onTaken` is called when there is room for another. */
  send(frame: Frame, onTaken?: () => void): void;
  /** Takes one more message of the other side. */
  take(): void;
}

/** As over HTTP/2: a chunk of at most 1 MiB and its envelope pass, a mistake does not. */
export const MESSAGE_BYTES_MAX = 8 << 20;
