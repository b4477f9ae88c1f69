import type { ObjectStore, RoundStore } from '@flexlora/stores';
import type { StoreName } from '../faults/fault-plan.ts';
import type { Gate } from '../hosts/gate.ts';
import type { Life } from '../hosts/host.ts';
import { faultOf, type StoreWeather } from './store-weather.ts';

/** The stores as one process reaches them: every call through the gate and the weather. */
export interface GatedStoreDeps {
  readonly gate: Gate;
  readonly life: Life;
  /** A drawn latency up to this. */
  latencyMs(most: number): number;
}

type AnyCall = (...args: readonly unknown[]) => unknown;

/** A request that was sent is performed, whether or not its sender still waits. */
const withoutSignal = (args: readonly unknown[]): readonly unknown[] =>
  args.map((arg) => (arg instanceof AbortSignal ? undefined : arg));

const signalIn = (args: readonly unknown[]): AbortSignal | undefined =>
  args.find((arg) => arg instanceof AbortSignal) as AbortSignal | undefined;

/** Every call that answers with a promise; the calls are those that the port has, whatever they are called. */
function gated<Store extends object>(
  deps: GatedStoreDeps,
  name: StoreName,
  store: Store,
  weather: StoreWeather,
  latencyMsMax: number,
): Store {
  const pass = (call: string, args: readonly unknown[]): Promise<unknown> =>
    deps.gate.pass(
      `${name}.${call}`,
      {
        latencyMs: () => deps.latencyMs(latencyMsMax + weather.latencyMsMax),
        perform: async () => {
          weather.check(call);
          return (store[call as keyof Store] as AnyCall)(...withoutSignal(args));
        },
        fault: (why) => faultOf(name, `${call}: ${why}`),
      },
      signalIn(args),
    );
  return Object.fromEntries(
    Object.entries(store)
      .filter(([, value]) => typeof value === 'function')
      .map(([call]) => [call, (...args: readonly unknown[]) => pass(call, args)]),
  ) as Store;
}

export function gatedRoundStore(
  deps: GatedStoreDeps,
  store: RoundStore,
  weather: StoreWeather,
  latencyMsMax: number,
): RoundStore {
  return {
    ...gated(deps, 'roundStore', store, weather, latencyMsMax),
    /** A subscription is there at once, as a connection that is made again; what is told while the store is away is lost. */
    subscribe: async (listener) => {
      const unsubscribe = await store.subscribe((signal) => {
        if (!weather.isAway) deps.life.deliver(() => listener(signal));
      });
      deps.life.onEnd(unsubscribe);
      return unsubscribe;
    },
    close: async () => {},
  };
}

export function gatedObjectStore(
  deps: GatedStoreDeps,
  store: ObjectStore,
  weather: StoreWeather,
  latencyMsMax: number,
): ObjectStore {
  const calls = gated(deps, 'objectStore', store, weather, latencyMsMax);

  /** What is listed or read is there whole when the call is answered: the pieces come from memory. */
  async function* iterated<Item>(call: string, args: readonly unknown[]): AsyncGenerator<Item, void> {
    const collect = async (): Promise<readonly Item[]> => {
      weather.check(call);
      const items: Item[] = [];
      for await (const item of (store[call as keyof ObjectStore] as AnyCall)(
        ...withoutSignal(args),
      ) as AsyncIterable<Item>)
        items.push(item);
      return items;
    };
    const outside = {
      latencyMs: () => deps.latencyMs(latencyMsMax + weather.latencyMsMax),
      perform: collect,
      fault: (why: string) => faultOf('objectStore', `${call}: ${why}`),
    };
    yield* await deps.gate.pass(`objectStore.${call}`, outside, signalIn(args));
  }

  const iterators = Object.keys(store)
    .filter((call) => ITERATED.has(call))
    .map((call) => [call, (...args: readonly unknown[]) => iterated(call, args)]);
  return { ...calls, ...Object.fromEntries(iterators), close: async () => {} };
}

/** Calls that answer piece by piece. */
const ITERATED: ReadonlySet<string> = new Set(['read', 'list', 'listFolders', 'listUploads']);
