import {
  createMemoryRoundStore,
  type Lease,
  type LeaseAnswer,
  leaseOf,
  type RoundStore,
  type StoreSignal,
} from '@flexlora/stores';

/**
 * The memory store with what can happen to a Redis: it comes back empty, it comes back as it was a while ago, its clock jumps so that
 * every lease is over. What was done to it is remembered and done again to a new one up to the wanted time, so that nothing of the store's
 * inside has to be known.
 */
export interface RestorableRoundStore extends RoundStore {
  lose(): void;
  rollBack(ms: number): void;
  /** Its clock goes on from so much later. */
  jump(ms: number): void;
  /** Without a way to it, for whoever looks at the world from outside. */
  readonly inside: RoundStore;
}

/** Hears of every call that matters, in the order in which they came, as the store performed it. */
export interface RoundStoreListener {
  committed(lease: Lease, result: 'committed' | 'fenced'): void;
  /** Somebody took the lease. */
  granted(lease: Lease, untilMs: number): void;
  renewed(untilMs: number): void;
  released(): void;
}

type Change = 'createRun' | 'acquireLease' | 'renewLease' | 'releaseLease' | 'offer' | 'commit';
const CHANGES: ReadonlySet<string> = new Set<Change>([
  'createRun',
  'acquireLease',
  'renewLease',
  'releaseLease',
  'offer',
  'commit',
]);

type AnyCall = (...args: readonly unknown[]) => Promise<unknown>;

export function createRestorableRoundStore(nowMs: () => number, listener: RoundStoreListener): RestorableRoundStore {
  const listeners = new Set<(signal: StoreSignal) => void>();
  let done: { readonly atMs: number; readonly change: string; readonly args: readonly unknown[] }[] = [];
  let jumpedMs = 0;
  /** Set while the past is repeated. */
  let pastMs: number | null = null;
  const storeNowMs = (): number => pastMs ?? nowMs() + jumpedMs;
  let inner = fresh();

  function fresh(): RoundStore {
    const store = createMemoryRoundStore({ now: storeNowMs });
    void store.subscribe((signal) => {
      // Signals of a past that is repeated, or of a store that was replaced, reach nobody.
      if (store !== inner || pastMs !== null) return;
      // Not every call that gives a lease back still has one.
      if (signal.kind === 'released') listener.released();
      for (const each of [...listeners]) each(signal);
    });
    return store;
  }

  const callOf = (store: RoundStore, name: string): AnyCall => store[name as Change] as unknown as AnyCall;

  const calls = Object.fromEntries(
    Object.keys(inner).map((name) => [
      name,
      async (...args: readonly unknown[]): Promise<unknown> => {
        const store = inner;
        if (CHANGES.has(name)) done.push({ atMs: storeNowMs(), change: name, args });
        const answer = await callOf(store, name)(...args);
        tell(name, args, answer);
        return answer;
      },
    ]),
  ) as unknown as RoundStore;

  function tell(name: string, args: readonly unknown[], answer: unknown): void {
    if (name === 'commit') listener.committed(args[0] as Lease, answer as 'committed' | 'fenced');
    if (name === 'renewLease' && answer === true) listener.renewed(nowMs() + (args[1] as number));
    const lease = name === 'acquireLease' ? leaseOf(answer as LeaseAnswer) : null;
    if (lease !== null) listener.granted(lease, nowMs() + (args[2] as number));
  }

  return {
    ...calls,
    subscribe: async (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    get inside() {
      return inner;
    },
    lose: () => {
      done = [];
      inner = fresh();
    },
    rollBack: (ms) => {
      const untilMs = storeNowMs() - ms;
      done = done.filter(({ atMs }) => atMs <= untilMs);
      inner = fresh();
      // The memory store changes itself before its calls return, so the past is over before anything else happens.
      for (const { atMs, change, args } of done) {
        pastMs = atMs;
        void callOf(inner, change)(...args);
      }
      pastMs = null;
    },
    jump: (ms) => {
      jumpedMs += ms;
    },
  };
}
