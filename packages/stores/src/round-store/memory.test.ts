import { createMemoryRoundStore } from './memory.ts';
import { roundStoreSuite } from './suite.ts';

roundStoreSuite('memory', (options) => {
  let nowMs = 1_000_000;
  const store = createMemoryRoundStore({ now: () => nowMs, ...options });
  return {
    open: () => store,
    async advance(ms) {
      nowMs += ms;
    },
    close: () => store.close(),
  };
});
