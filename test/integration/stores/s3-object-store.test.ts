import { after, test } from 'node:test';
import { createS3ObjectStore, type ObjectStore } from '@flexlora/stores';
import { objectStoreSuite } from '@flexlora/stores/object-store/suite';
import { startMinio } from '../../harness/containers/minio-server.ts';

const minio = await startMinio();
if ('skip' in minio) {
  test('object store: S3 (MinIO)', { skip: minio.skip }, () => {});
} else {
  after(() => minio.stop());
  const { endpoint, region, bucket, accessKeyId, secretAccessKey } = minio;
  objectStoreSuite('S3 (MinIO)', () => {
    const stores: ObjectStore[] = [];
    return {
      open() {
        const store = createS3ObjectStore({ endpoint, region, bucket, credentials: { accessKeyId, secretAccessKey } });
        stores.push(store);
        return store;
      },
      async close() {
        for (const store of stores) await store.close();
      },
    };
  });
}
