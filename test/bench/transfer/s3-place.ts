import { S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore, S3ObjectStoreOptions } from '@flexlora/stores';
import { createS3ObjectStore } from '@flexlora/stores';
import { DOWNLOADS_MAX, type S3Place, UPLOADS_MAX } from './transfer-case.ts';

/** The S3 client as anybody would make it. */
export const stockS3 = ({ endpoint, region, accessKeyId, secretAccessKey }: S3Place): S3Client =>
  new S3Client({ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true });

/** The platform's. */
export function ownS3({ accessKeyId, secretAccessKey, ...place }: S3Place): ObjectStore {
  const options: S3ObjectStoreOptions = { ...place, credentials: { accessKeyId, secretAccessKey } };
  return createS3ObjectStore({ ...options, connectionsMax: UPLOADS_MAX + DOWNLOADS_MAX });
}

/** What is downloaded: put there by the server before it says that it is ready. */
export const SOURCE_OBJECT = 'bench/source.bin';
