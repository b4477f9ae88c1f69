import { after, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { createRedisRoundStore, type RoundStore } from '@flexlora/stores';
import { roundStoreSuite } from '@flexlora/stores/round-store/suite';
import { startRedis } from '../../harness/containers/redis-server.ts';

const redis = await startRedis();
if ('skip' in redis) {
  test('round store: Redis', { skip: redis.skip }, () => {});
} else {
  after(() => redis.stop());
  roundStoreSuite('Redis', (options) => {
    const stores: RoundStore[] = [];
    return {
      open() {
        const store = createRedisRoundStore({ url: redis.url, ...options });
        stores.push(store);
        return store;
      },
      advance: (ms) => delay(ms),
      async close() {
        for (const store of stores) await store.close();
      },
    };
  });
}
