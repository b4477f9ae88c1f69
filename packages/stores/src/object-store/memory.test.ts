import { createMemoryObjectStore } from './memory.ts';
import { objectStoreSuite } from './suite.ts';

objectStoreSuite('memory', () => {
  const store = createMemoryObjectStore();
  return { open: () => store, close: () => store.close() };
});
