export { createFileObjectStore, type FileObjectStoreOptions } from './object-store/file.ts';
export { createMemoryObjectStore } from './object-store/memory.ts';
export * from './object-store/port.ts';
export { createS3ObjectStore } from './object-store/s3.ts';
export { ensureS3Bucket, type S3ObjectStoreOptions } from './object-store/s3-client.ts';
export { createMemoryRoundStore, type MemoryRoundStoreOptions } from './round-store/memory.ts';
export * from './round-store/port.ts';
export { createRedisRoundStore, type RedisRoundStoreOptions } from './round-store/redis.ts';
