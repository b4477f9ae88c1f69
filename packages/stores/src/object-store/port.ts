import { Fault } from '@flexlora/core';

/**
 * Where bytes live: S3 or what behaves like it. Names are `/`-separated (see `object-names` in the core). An object appears whole or not
 * at all. A backend's fault is thrown as {@link ObjectStoreFault}; a missing object is `null`.
 */
export interface ObjectStore {
  /** Writes an object, replacing one of the same name. */
  put(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void>;
  /** Writes an object unless one of this name exists: of concurrent writers exactly one gets `written`. */
  putIfAbsent(name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<'written' | 'exists'>;
  /** The object's size; null when there is none. */
  head(name: string, signal?: AbortSignal): Promise<{ readonly bytes: number } | null>;
  /** The whole object or a range of it; null when there is none. A range past the end is cut to the end. */
  get(name: string, range?: ByteRange, signal?: AbortSignal): Promise<Uint8Array | null>;
  /** The same as a stream of pieces, without holding the object in memory. Throws a fault when there is no such object. */
  read(name: string, range?: ByteRange, signal?: AbortSignal): AsyncIterable<Uint8Array>;
  /** Names under a prefix, in the order of their UTF-8 bytes. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<{ readonly name: string; readonly bytes: number }>;
  /**
   * The folders right under a prefix: the beginnings, up to and with their next "/", of the names under it that have one; each once, in the
   * order of their bytes. Costs as many requests as there are folders and objects of this level, however much lies deeper.
   */
  listFolders(prefix: string, signal?: AbortSignal): AsyncIterable<string>;
  /** Deletes an object; deleting none is no fault. */
  delete(name: string, signal?: AbortSignal): Promise<void>;

  /** Opens an upload in parts; nothing is visible under the name until it is completed. */
  beginUpload(name: string, signal?: AbortSignal): Promise<UploadToken>;
  /**
   * Stores part `part` (from 1), replacing an earlier one of this number. Every part but the last has at least `PART_BYTES_MIN`. The memory of
   * `bytes` is the caller's again when this resolves.
   */
  writePart(name: string, token: UploadToken, part: number, bytes: Uint8Array, signal?: AbortSignal): Promise<PartTag>;
  /** The parts that are durable, ascending; null when the upload is unknown (completed, aborted, never begun). */
  listParts(name: string, token: UploadToken, signal?: AbortSignal): Promise<readonly StoredPart[] | null>;
  /** Makes the parts, in order, the object. False when the upload is unknown. */
  completeUpload(name: string, token: UploadToken, signal?: AbortSignal): Promise<boolean>;
  /**
   * Makes parts 1, 2, … as they were written the object, and drops what else was written: who knows the tags knows what the object holds. False,
   * and nothing done, when one of them was written again since; false when the upload is unknown.
   */
  completeWritten(name: string, token: UploadToken, tags: readonly PartTag[], signal?: AbortSignal): Promise<boolean>;
  /** Uploads that were begun under a prefix and neither completed nor dropped, in no order. */
  listUploads(prefix: string, signal?: AbortSignal): AsyncIterable<BegunUpload>;
  /** Drops an upload and its parts; dropping none is no fault. */
  abortUpload(name: string, token: UploadToken, signal?: AbortSignal): Promise<void>;

  /** Resolves when the backend answers, the bucket exists and conditional writes hold; throws a fault that says why not. */
  checkReady(): Promise<void>;
  close(): Promise<void>;
}

/** From `start` up to, not including, `end` (to the object's end when absent). */
export interface ByteRange {
  readonly start: number;
  readonly end?: number;
}

/** The backend's name of an upload in progress, opaque and safe in a URL. */
export type UploadToken = string & { readonly __brand: 'UploadToken' };

export interface BegunUpload {
  readonly name: string;
  readonly token: UploadToken;
}

/** The backend's mark of what a part holds, opaque: another content has another. */
export type PartTag = string & { readonly __brand: 'PartTag' };

export interface StoredPart {
  readonly part: number;
  readonly bytes: number;
}

/** S3's own minimum for every part but the last. */
export const PART_BYTES_MIN = 5 << 20;

/** The backend did not do what it was asked; the same call may succeed later. */
export class ObjectStoreFault extends Fault {
  override readonly name = 'ObjectStoreFault';
}
