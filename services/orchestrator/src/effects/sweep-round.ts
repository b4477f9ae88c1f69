import {
  type AdapterManifest,
  type RoundLedger,
  type RoundState,
  type SweepScope,
  sweepScope,
  sweptNames,
} from '@flexlora/core';
import type { Logger } from '@flexlora/runtime';
import type { BegunUpload, ObjectStore } from '@flexlora/stores';
import pMap from 'p-map';
import { parseDocument } from '../documents/parse-document.ts';
import { OBJECTS_AT_ONCE_MAX } from '../limits.ts';

/**
 * Deletes what uploaders and aggregators left behind. The documents of the object store say what stays, so that a holder that was paused
 * here, and wakes after a loss of the round store, deletes nothing that came to count meanwhile.
 */
export async function sweepRound(
  objectStore: ObjectStore,
  state: RoundState,
  round: number,
  signal: AbortSignal,
  logger: Logger,
): Promise<void> {
  const scope = sweepScope(state, round);
  // Uploads first: one that ends meanwhile is an object by the time objects are listed, or never.
  const uploads = await Promise.allSettled(scope.prefixes.map((prefix) => dropUploads(objectStore, prefix, signal)));
  await sweepObjects(objectStore, state, scope, signal);
  // Listing uploads is a right of its own in S3. A sweep that waited for it would keep all others waiting.
  for (const dropped of uploads)
    if (dropped.status === 'rejected' && !signal.aborted)
      logger.warn(
        { round, err: dropped.reason },
        'uploads that nobody goes on with could not be dropped; a lifecycle rule of the bucket drops them as well',
      );
}

async function sweepObjects(
  objectStore: ObjectStore,
  state: RoundState,
  scope: SweepScope,
  signal: AbortSignal,
): Promise<void> {
  const names: string[] = [];
  for (const prefix of scope.prefixes) {
    for await (const { name } of objectStore.list(prefix, signal)) names.push(name);
  }
  if (names.length === 0) return;
  const [ledgers, manifests] = await Promise.all([
    readAll<RoundLedger>(objectStore, scope.ledgers, signal),
    readAll<AdapterManifest>(objectStore, scope.manifests, signal),
  ]);
  // The state may be behind: without the round's manifest nobody can say what stays.
  if (manifests.length < scope.manifests.length) return;
  const left = sweptNames(state, names, ledgers, manifests);
  await pMap(left, (name) => objectStore.delete(name, signal), { concurrency: OBJECTS_AT_ONCE_MAX });
}

/** Nothing that is under way here can come to count any more. */
async function dropUploads(objectStore: ObjectStore, prefix: string, signal: AbortSignal): Promise<void> {
  const left: BegunUpload[] = [];
  for await (const upload of objectStore.listUploads(prefix, signal)) left.push(upload);
  await pMap(left, ({ name, token }) => objectStore.abortUpload(name, token, signal), {
    concurrency: OBJECTS_AT_ONCE_MAX,
  });
}

async function readAll<Document extends object>(
  objectStore: ObjectStore,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly Document[]> {
  const read = await Promise.all(
    names.map(async (name) => {
      const bytes = await objectStore.get(name, undefined, signal);
      return bytes === null ? null : parseDocument<Document>(name, bytes);
    }),
  );
  return read.filter((document) => document !== null);
}
