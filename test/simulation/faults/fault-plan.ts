/**
 * Everything that goes wrong in one simulated run, and when. With its seed a plan decides every step: it is what a shrunk failure is kept as,
 * because a seed alone draws other faults as soon as the drawing changes.
 */
export interface FaultPlan {
  readonly version: 1;
  /** Of latencies, jitter, random ids and the order of timers. */
  readonly seed: number;
  readonly world: WorldPlan;
  readonly faults: readonly PlannedFault[];
}

export interface WorldPlan {
  readonly agents: number;
  readonly rounds: number;
  readonly goal: number;
  readonly minimum: number;
  readonly overSelection: number;
  readonly late: 'refuse' | 'carry';
  /** A call to a store takes up to this each way. */
  readonly latencyMsMax: number;
}

export type PlannedFault =
  /** `atMs` after the start. */
  | { readonly kind: 'at'; readonly atMs: number; readonly fault: WorldFault }
  /** When this host (null: any) passes this point, a port's call such as `roundStore.commit`, for the nth time from 1. */
  | {
      readonly kind: 'passing';
      readonly host: string | null;
      readonly point: string;
      readonly nth: number;
      readonly fault: CallFault | WorldFault;
    };

/** What happens to one call. The host is the one that makes it. */
export type CallFault =
  /** SIGKILL: `before` the call is made, once it is `sent` (it is performed, and nobody hears), or `after` it was answered. */
  | { readonly kind: 'crashHere'; readonly side: 'before' | 'sent' | 'after'; readonly downMs: number }
  /** SIGSTOP, then SIGCONT after so long: the call was made, and its answer waits; or it has yet to be made. */
  | { readonly kind: 'pauseHere'; readonly side: 'before' | 'sent'; readonly ms: number }
  /** It did not arrive; the caller hears a fault. */
  | { readonly kind: 'lostRequest' }
  /** It was performed; the caller hears a fault. */
  | { readonly kind: 'lostReply' }
  /** On its way for so long: others overtake it. */
  | { readonly kind: 'slowCall'; readonly way: 'there' | 'back'; readonly ms: number }
  /** It is performed once more so much later, as by a link that sends again. */
  | { readonly kind: 'repeatedCall'; readonly afterMs: number };

/** What happens to the world. Of a passing: as soon as the call was performed. */
export type WorldFault =
  | { readonly kind: 'crash'; readonly host: string; readonly downMs: number }
  | { readonly kind: 'pause'; readonly host: string; readonly ms: number }
  | { readonly kind: 'storeAway'; readonly store: StoreName; readonly ms: number }
  /** It reads and deletes, and takes nothing. */
  | { readonly kind: 'storeFull'; readonly store: StoreName; readonly ms: number }
  /** Each call takes up to `latencyMs` more each way. */
  | { readonly kind: 'storeSlow'; readonly store: StoreName; readonly ms: number; readonly latencyMs: number }
  /** Empty, as Redis that is started again without its disk. */
  | { readonly kind: 'roundStoreLost' }
  /** As it was so long ago, as Redis after a crash between two writes to its disk. */
  | { readonly kind: 'roundStoreRolledBack'; readonly ms: number }
  /** Every lease is over, and its holder does not know. */
  | { readonly kind: 'leasesLost' }
  /** The agent's disk takes nothing more for so long. */
  | { readonly kind: 'diskFull'; readonly host: string; readonly ms: number }
  /** No message passes between the host and any other; its stores are there. */
  | { readonly kind: 'cutOff'; readonly host: string; readonly ms: number }
  | { readonly kind: 'operator'; readonly act: 'pause' | 'resume' | 'cancel' | 'retry' };

export type StoreName = 'roundStore' | 'objectStore';
export type FaultKind = CallFault['kind'] | WorldFault['kind'];

export const CALL_FAULTS: ReadonlySet<FaultKind> = new Set<CallFault['kind']>([
  'crashHere',
  'pauseHere',
  'lostRequest',
  'lostReply',
  'slowCall',
  'repeatedCall',
]);

export const isCallFault = (fault: CallFault | WorldFault): fault is CallFault => CALL_FAULTS.has(fault.kind);

/** One line for people. */
export function describeFault(planned: PlannedFault): string {
  const { kind, ...details } = planned.fault;
  const what = `${kind} ${Object.entries(details)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ')}`.trim();
  return planned.kind === 'at'
    ? `at ${planned.atMs} ms: ${what}`
    : `when ${planned.host ?? 'any host'} passes ${planned.point} for time ${planned.nth}: ${what}`;
}
