import { ObjectStoreFault, RoundStoreFault } from '@flexlora/stores';
import type { StoreName } from '../faults/fault-plan.ts';

/** How a store fares at the moment, for everybody who calls it. */
export interface StoreWeather {
  away(ms: number): void;
  full(ms: number): void;
  slow(ms: number, latencyMs: number): void;
  /** On top of a call's own. */
  readonly latencyMsMax: number;
  readonly isAway: boolean;
  /** @throws the store's fault, for a call that it cannot perform now. */
  check(call: string): void;
}

/** Calls that need room. Deletions do not, and reads do not. */
const NEEDS_ROOM: ReadonlySet<string> = new Set([
  'createRun',
  'acquireLease',
  'offer',
  'commit',
  'put',
  'putIfAbsent',
  'beginUpload',
  'writePart',
  'completeUpload',
  'completeWritten',
]);

export const faultOf = (store: StoreName, message: string): Error =>
  store === 'roundStore' ? new RoundStoreFault(message) : new ObjectStoreFault(message);

export function createStoreWeather(store: StoreName, nowMs: () => number): StoreWeather {
  let awayUntilMs = 0;
  let fullUntilMs = 0;
  let slowUntilMs = 0;
  let slowLatencyMs = 0;
  const isAway = (): boolean => nowMs() < awayUntilMs;
  return {
    away: (ms) => {
      awayUntilMs = nowMs() + ms;
    },
    full: (ms) => {
      fullUntilMs = nowMs() + ms;
    },
    slow: (ms, latencyMs) => {
      slowUntilMs = nowMs() + ms;
      slowLatencyMs = latencyMs;
    },
    get latencyMsMax() {
      return nowMs() < slowUntilMs ? slowLatencyMs : 0;
    },
    get isAway() {
      return isAway();
    },
    check: (call) => {
      if (isAway()) throw faultOf(store, `${call}: no connection to the ${store}`);
      if (nowMs() < fullUntilMs && NEEDS_ROOM.has(call)) throw faultOf(store, `${call}: the ${store} is full`);
    },
  };
}
