import assert from 'node:assert/strict';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import type { ObjectStore } from '@flexlora/stores';
import type { MinioServer } from '../../../harness/containers/minio-server.ts';

/** Names under a prefix with multipart uploads that are neither completed nor aborted, as the bucket itself lists them. */
export async function openUploadsUnder(server: MinioServer, store: ObjectStore, prefix: string): Promise<string[]> {
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = server;
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
  // MinIO lists all of a bucket or one name, and nothing between.
  const list = async (): Promise<string[]> => {
    const { Uploads = [], IsTruncated } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
    assert.notEqual(IsTruncated, true, 'there are more open uploads than one answer lists');
    return Uploads.map(({ Key }) => Key ?? '').filter((name) => name.startsWith(prefix));
  };
  try {
    const witness = `${prefix}witness`;
    const token = await store.beginUpload(witness);
    assert.ok((await list()).includes(witness), 'the list does not show an upload that is open');
    await store.abortUpload(witness, token);
    return await list();
  } finally {
    client.destroy();
  }
}
