import type { UploadStart } from '@flexlora/contracts/transfer/v1/transfer_service';
import type { ObjectStore } from '@flexlora/stores';
import type { FaultProxy } from '../../harness/proxy/fault-proxy.ts';
import { createUploadTap } from '../../harness/proxy/upload-tap.ts';
import { uploadObject } from '../../harness/upload-object.ts';

/** One UploadUpdate as it came by. */
export interface SentStream {
  readonly start: UploadStart;
  /** Which replica it was for. */
  readonly replica: number;
  /** What the object store held when it began, before the replica heard of it. */
  readonly durableAtStart: Promise<number>;
  /** The end of the last whole chunk; each began where the one before ended. */
  readonly sentTo: number;
}

/** What agents send to the replicas, read from the wire. */
export interface UploadWire {
  /** In the order in which they began. */
  readonly streams: readonly SentStream[];
  /** Hears the connections of one replica, for its proxy. */
  listenTo(replica: number, proxy: () => FaultProxy): () => (bytes: Buffer) => void;
}

/** Holds each stream that begins until it is known what was durable then; calls `onChange` after each chunk. */
export function createUploadWire(objectStore: ObjectStore, onChange: () => void): UploadWire {
  const streams: SentStream[] = [];

  async function durableBefore(start: UploadStart, proxy: FaultProxy): Promise<number> {
    proxy.holdAfter('toServer', 0);
    try {
      return await durableBytes(objectStore, start);
    } finally {
      proxy.letGo();
    }
  }

  return {
    streams,
    listenTo: (replica, proxy) => () => {
      const open = new Map<number, SentStream & { sentTo: number }>();
      return createUploadTap({
        began: (id, start) => {
          const stream = { start, replica, durableAtStart: durableBefore(start, proxy()), sentTo: start.offset };
          open.set(id, stream);
          streams.push(stream);
          onChange();
        },
        chunk: (id, offset, bytes) => {
          const stream = open.get(id);
          if (stream === undefined || offset !== stream.sentTo)
            throw new Error(`a chunk begins at ${offset}; expected is ${stream?.sentTo}`);
          stream.sentTo = offset + bytes;
          onChange();
        },
      });
    },
  };
}

/** The unbroken row of parts that the object store has of an upload, in bytes; asked of the store and of nobody else. */
export async function durableBytes(objectStore: ObjectStore, start: UploadStart): Promise<number> {
  const { objectName, token } = uploadObject(start);
  const parts = (await objectStore.listParts(objectName, token)) ?? [];
  const whole = parts.findIndex(({ part }, index) => part !== index + 1);
  return parts.slice(0, whole === -1 ? parts.length : whole).reduce((sum, { bytes }) => sum + bytes, 0);
}
