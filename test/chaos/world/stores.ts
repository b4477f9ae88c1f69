import { join } from 'node:path';
import { type MinioServer, startMinio } from '../../harness/containers/minio-server.ts';
import { type RedisServer, startRedis } from '../../harness/containers/redis-server.ts';
import { answerAsFull, mountStoreDisk, type StoreDisk } from './store-disk.ts';

/** A Redis and a MinIO of our own. */
export interface Stores {
  readonly redis: RedisServer;
  readonly minio: MinioServer;
  readonly disk: StoreDisk;
  /** Where the object store is reached: MinIO, or what answers in its place while it is full. */
  readonly storePort: number;
  stop(): Promise<void>;
}

/** There is no Redis or no MinIO; says why. */
export class NoStores extends Error {
  override readonly name = 'NoStores';
}

/** @throws {NoStores} */
export async function startStores(directory: string, diskBytes: number): Promise<Stores> {
  const closing: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const redis = await startRedis({ use: 'own' });
    if ('skip' in redis) throw new NoStores(redis.skip);
    closing.push(() => redis.stop());
    const mounted = await mountStoreDisk(join(directory, 'store'), diskBytes);
    if (mounted !== null) closing.push(() => mounted.unmount());
    const minio = await startMinio({ use: 'own', ...(mounted === null ? {} : { directory: mounted.directory }) });
    if ('skip' in minio) throw new NoStores(minio.skip);
    closing.push(() => minio.stop());
    if (mounted !== null) return { redis, minio, disk: mounted, storePort: minio.port, stop };
    const answered = await answerAsFull(minio.port);
    closing.push(() => answered.proxy.close());
    return { redis, minio, disk: answered, storePort: answered.proxy.port, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
