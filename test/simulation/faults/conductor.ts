import {
  type CallFault,
  describeFault,
  type FaultKind,
  type FaultPlan,
  isCallFault,
  type PlannedFault,
  type WorldFault,
} from './fault-plan.ts';

/** Brings each planned fault at its moment, once. */
export interface Conductor {
  /** Called by every gate before a call is made. What it returns happens to this call. */
  passing(host: string, point: string): Passage;
  /** What struck, in order. */
  readonly struck: readonly FaultKind[];
  /** How often each point was passed, by any host. */
  readonly passed: ReadonlyMap<string, number>;
}

export interface Passage {
  readonly callFault: CallFault | null;
  /** To be called once the call was performed. */
  performed(): void;
}

export interface ConductorDeps {
  schedule(afterMs: number, wake: () => void): void;
  strike(fault: WorldFault): void;
  callStruck(fault: CallFault): void;
  trace(line: string): void;
}

const UNTOUCHED: Passage = { callFault: null, performed: () => {} };

export function createConductor(plan: FaultPlan, deps: ConductorDeps): Conductor {
  const struck: FaultKind[] = [];
  const passed = new Map<string, number>();
  const ofHost = new Map<string, number>();
  const waiting = new Map<string, PlannedFault[]>();

  const strike = (planned: PlannedFault, fault: WorldFault): void => {
    deps.trace(`FAULT ${describeFault(planned)}`);
    struck.push(fault.kind);
    deps.strike(fault);
  };

  for (const planned of plan.faults) {
    if (planned.kind === 'at') {
      deps.schedule(planned.atMs, () => strike(planned, planned.fault));
      continue;
    }
    const key = keyOf(planned.host, planned.point, planned.nth);
    waiting.set(key, [...(waiting.get(key) ?? []), planned]);
  }

  return {
    struck,
    passed,
    passing: (host, point) => {
      const anyNth = (passed.get(point) ?? 0) + 1;
      passed.set(point, anyNth);
      const hostNth = (ofHost.get(`${host} ${point}`) ?? 0) + 1;
      ofHost.set(`${host} ${point}`, hostNth);
      if (waiting.size === 0) return UNTOUCHED;
      const due = [keyOf(host, point, hostNth), keyOf(null, point, anyNth)].flatMap((key) => {
        const found = waiting.get(key) ?? [];
        waiting.delete(key);
        return found;
      });
      if (due.length === 0) return UNTOUCHED;
      const [callFault = null] = due.map(({ fault }) => fault).filter(isCallFault);
      for (const planned of due) {
        if (planned.fault !== callFault) continue;
        struck.push(planned.fault.kind);
        if (callFault !== null) deps.callStruck(callFault);
        deps.trace(`FAULT ${describeFault(planned)} (${host})`);
      }
      return {
        callFault,
        performed: () => {
          for (const planned of due) if (!isCallFault(planned.fault)) strike(planned, planned.fault);
        },
      };
    },
  };
}

const keyOf = (host: string | null, point: string, nth: number): string => `${host ?? '*'} ${point} ${nth}`;
