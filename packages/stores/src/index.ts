export { createMemoryRoundStore, type MemoryRoundStoreOptions } from './round-store/memory.ts';
export * from './round-store/port.ts';
export { createRedisRoundStore, type RedisRoundStoreOptions } from './round-store/redis.ts';
