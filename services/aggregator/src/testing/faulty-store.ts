import { type ObjectStore, ObjectStoreFault } from '@flexlora/stores';

type Faulty = 'get' | 'put' | 'beginUpload' | 'writePart' | 'completeUpload';

/** The given store, of which the next so many calls of a method are faults. `lostAnswers` does what was asked before it fails. */
export function createFaultyStore(
  store: ObjectStore,
  faults: Readonly<Partial<Record<Faulty, number>>>,
  mode: 'notDone' | 'lostAnswers' = 'notDone',
): { readonly store: ObjectStore; readonly calls: ReadonlyMap<string, number> } {
  const left = new Map(Object.entries(faults));
  const calls = new Map<string, number>();
  const faulty = new Proxy(store, {
    get: (target, property, receiver) => {
      const value: unknown = Reflect.get(target, property, receiver);
      if (typeof property !== 'string' || typeof value !== 'function') return value;
      return (...args: readonly unknown[]): unknown => {
        calls.set(property, (calls.get(property) ?? 0) + 1);
        const faultsLeft = left.get(property) ?? 0;
        if (faultsLeft === 0) return Reflect.apply(value, target, args);
        left.set(property, faultsLeft - 1);
        const fault = new ObjectStoreFault(`the test makes ${property} of ${String(args[0])} fail`);
        if (mode === 'notDone') return Promise.reject(fault);
        return (Reflect.apply(value, target, args) as Promise<unknown>).then(() => Promise.reject(fault));
      };
    },
  });
  return { store: faulty, calls };
}
