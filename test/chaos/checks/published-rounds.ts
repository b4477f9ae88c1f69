import { createHash } from 'node:crypto';
import { type AdapterManifest, canonicalJson, manifestObjectName, type RunId } from '@flexlora/core';
import { createS3ObjectStore } from '@flexlora/stores';
import type { MinioServer } from '../../harness/containers/minio-server.ts';

/** What one manifest in the object store says. */
export interface PublishedManifest {
  readonly round: number;
  readonly adapterDigest: string;
  readonly updates: readonly { readonly agentId: string; readonly digest: string }[];
}

/** Every manifest of a run, in order, up to the first round that has none. */
export async function readPublishedRounds(minio: MinioServer, runId: string): Promise<readonly PublishedManifest[]> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = minio;
  const store = createS3ObjectStore({ endpoint, region, bucket, credentials: { accessKeyId, secretAccessKey } });
  try {
    const rounds: PublishedManifest[] = [];
    for (;;) {
      const stored = await store.get(manifestObjectName(runId as RunId, rounds.length));
      if (stored === null) return rounds;
      const manifest = JSON.parse(Buffer.from(stored).toString('utf8')) as AdapterManifest;
      const { round, updates } = manifest;
      rounds.push({ round, updates, adapterDigest: adapterDigestOf(manifest) });
    }
  } finally {
    store.close();
  }
}

/**
 * The adapter alone, whoever worked it out in however many attempts: names of objects depend on attempts.
 *
 * @throws when the manifest tells another digest of it.
 */
export function adapterDigestOf(manifest: Pick<AdapterManifest, 'round' | 'objects'>): string {
  const objects = manifest.objects.map(({ taskId, bytes, digest }) => ({ taskId, bytes, digest }));
  const digest = createHash('sha256').update(canonicalJson(objects)).digest('hex');
  const told = (manifest as { readonly adapterDigest?: string }).adapterDigest;
  if (told !== undefined && told !== digest)
    throw new Error(
      `the manifest of round ${manifest.round} says that its adapter is ${told}; its objects give ${digest}`,
    );
  return digest;
}
