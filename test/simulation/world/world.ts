import { seededHash } from '@flexlora/core';
import { createInMemoryNetwork } from '@flexlora/runtime';
import { createMemoryObjectStore } from '@flexlora/stores';
import { between, createSeededRandom } from '../../chaos/plan/seeded-random.ts';
import { createFindings, type Findings } from '../checks/findings.ts';
import { createObjectWatch, type ObjectWatch } from '../checks/object-watch.ts';
import { createReceiptWatch, type ReceiptWatch } from '../checks/receipt-watch.ts';
import { createStateWatch, type StateWatch } from '../checks/state-watch.ts';
import { createTakeoverWatch, type TakeoverWatch } from '../checks/takeover-watch.ts';
import { createTrainingWatch, type TrainingWatch } from '../checks/training-watch.ts';
import { createVirtualClock, VIRTUAL_START_MS, type VirtualClock } from '../clock/virtual-clock.ts';
import { type Conductor, createConductor } from '../faults/conductor.ts';
import { AGGREGATORS, agentName, ORCHESTRATORS } from '../faults/draw-plan.ts';
import type { CallFault, FaultPlan, StoreName, WorldFault } from '../faults/fault-plan.ts';
import { createGate } from '../hosts/gate.ts';
import { createHost, type Host } from '../hosts/host.ts';
import { createRestorableRoundStore } from '../stores/restorable-round-store.ts';
import { createStoreWeather, type StoreWeather } from '../stores/store-weather.ts';
import { createCallFates } from './call-fates.ts';
import { createOperator, type Operator } from './operator.ts';
import { type Machine, type ProcessDeps, startAgent, startAggregator, startOrchestrator } from './processes.ts';
import { RUN_ID } from './run-of-world.ts';

/** The whole platform in this process: two orchestrators, two aggregators, agents and an operator on hosts of their own. */
export interface World {
  readonly clock: VirtualClock;
  readonly findings: Findings;
  readonly conductor: Conductor;
  readonly state: StateWatch;
  readonly objects: ObjectWatch;
  readonly receipts: ReceiptWatch;
  readonly trainings: TrainingWatch;
  readonly takeovers: TakeoverWatch;
  readonly operator: Operator;
  /** When the last fault that struck so far is over. */
  calmAtMs(): number;
  start(): void;
  /** Nobody lives any more. */
  end(): void;
}

/** Clocks of hosts differ by at most this, either way. */
const SKEW_MS_MAX = 500;
/** A process that could not start is started again after this. */
const RESTART_MS = 1_000;

export function createWorld(plan: FaultPlan, trace: (line: string) => void): World {
  const streamOf = (what: string): (() => number) => createSeededRandom(seededHash(plan.seed, what));
  const clock = createVirtualClock(streamOf('timers'));
  const latency = streamOf('latency');
  const latencyMs = (most: number): number => (most === 0 ? 0 : between(latency, 0, most));
  const findings = createFindings();
  const objects = createObjectWatch(createMemoryObjectStore(), findings);
  const takeovers = createTakeoverWatch(findings, () => state.state !== null && state.state.phase.kind !== 'settled');
  const roundStore = createRestorableRoundStore(clock.nowMs, {
    committed: (lease, result) => state.committed(lease, result),
    granted: (_, untilMs) => takeovers.granted(clock.nowMs(), untilMs),
    renewed: takeovers.renewed,
    released: () => takeovers.released(clock.nowMs()),
  });
  const state = createStateWatch(
    RUN_ID,
    () => roundStore.inside,
    objects,
    findings,
    () => operator.act('retry'),
  );
  const receipts = createReceiptWatch(objects, findings);
  const trainings = createTrainingWatch(objects, findings);
  const weather: Readonly<Record<StoreName, StoreWeather>> = {
    roundStore: createStoreWeather('roundStore', clock.nowMs),
    objectStore: createStoreWeather('objectStore', clock.nowMs),
  };
  const network = createInMemoryNetwork({ clock, random: streamOf('network') });
  const machines = new Map<string, Machine>();
  const stoppedUntilMs = new Map<string, number>();
  const cutUntilMs = new Map<string, number>();
  const downUntilMs = new Map<string, number>();
  let calmAtMs = VIRTUAL_START_MS;

  const schedule = (afterMs: number, act: () => void): void => void clock.schedule(clock.nowMs() + afterMs, act);
  const lasts = (ms: number): void => {
    calmAtMs = Math.max(calmAtMs, clock.nowMs() + ms);
  };
  const say = (line: string): void => trace(`${String(clock.nowMs() - VIRTUAL_START_MS).padStart(7)} ${line}`);

  /** While one orchestrator is down the other takes over; with both, nobody does. */
  const isDown = (name: string, ms: number): void => {
    downUntilMs.set(name, Math.max(downUntilMs.get(name) ?? 0, clock.nowMs() + ms));
    const firstBackMs = Math.min(...ORCHESTRATORS.map((host) => downUntilMs.get(host) ?? 0));
    if (firstBackMs > clock.nowMs()) takeovers.troubled(firstBackMs + RESTART_MS);
  };

  const machineOf = (name: string): Machine => {
    const machine = machines.get(name);
    if (machine === undefined)
      throw new RangeError(`there is no host ${name}; allowed: ${[...machines.keys()].join()}`);
    return machine;
  };

  const crash = (name: string, downMs: number): void => {
    const machine = machineOf(name);
    lasts(downMs);
    isDown(name, downMs);
    if (machine.host.life === null) return;
    say(`${name} is killed`);
    stoppedUntilMs.delete(name);
    machine.host.crash();
    network.kill(name);
    machine.lostPower();
    schedule(downMs, () => boot(machine));
  };

  const pause = (name: string, ms: number): void => {
    const { host } = machineOf(name);
    lasts(ms);
    isDown(name, ms);
    if (host.life === null) return;
    say(`${name} is stopped`);
    const untilMs = Math.max(clock.nowMs() + ms, stoppedUntilMs.get(name) ?? 0);
    stoppedUntilMs.set(name, untilMs);
    const { life } = host;
    host.pause();
    schedule(untilMs - clock.nowMs(), () => {
      if (host.life !== life || stoppedUntilMs.get(name) !== untilMs) return;
      say(`${name} goes on`);
      host.resume();
    });
  };

  const strike = (fault: WorldFault): void => {
    switch (fault.kind) {
      case 'crash':
        crash(fault.host, fault.downMs);
        return;
      case 'pause':
        pause(fault.host, fault.ms);
        return;
      case 'storeAway':
        lasts(fault.ms);
        weather[fault.store].away(fault.ms);
        takeovers.troubled(clock.nowMs() + fault.ms + SESSION_RETRY_MS);
        return;
      case 'storeFull':
        lasts(fault.ms);
        weather[fault.store].full(fault.ms);
        takeovers.troubled(clock.nowMs() + fault.ms + SESSION_RETRY_MS);
        return;
      case 'storeSlow':
        lasts(fault.ms);
        weather[fault.store].slow(fault.ms, fault.latencyMs);
        takeovers.troubled(clock.nowMs() + fault.ms + SESSION_RETRY_MS);
        return;
      case 'roundStoreLost':
        lasts(0);
        roundStore.lose();
        takeovers.forgot();
        state.forgot('lost');
        return;
      case 'roundStoreRolledBack':
        lasts(0);
        roundStore.rollBack(fault.ms);
        trainings.forgive();
        takeovers.forgot();
        state.forgot('rolledBack');
        return;
      case 'leasesLost':
        lasts(0);
        roundStore.jump(LEASE_JUMP_MS);
        takeovers.forgot();
        return;
      case 'diskFull':
        lasts(fault.ms);
        machineOf(fault.host).fill();
        schedule(fault.ms, () => machineOf(fault.host).empty());
        return;
      case 'cutOff':
        lasts(fault.ms);
        cutUntilMs.set(fault.host, clock.nowMs() + fault.ms);
        return;
      case 'operator':
        lasts(0);
        operator.act(fault.act);
        return;
    }
  };

  const conductor = createConductor(plan, {
    schedule,
    strike,
    // The call itself, and what its caller waits before the next.
    callStruck: (fault) => takeovers.troubled(clock.nowMs() + callLastsMs(fault) + SESSION_RETRY_MS),
    trace: say,
  });
  const spins = (host: string, points: readonly string[]): void =>
    findings.broken(`${host} makes calls without end while no time passes, the last to ${points.join(', ')}`);
  const gateDeps = { clock, conductor, crash, pause, spins };
  const fates = createCallFates({
    conductor,
    latencyMs: () => latencyMs(plan.world.latencyMsMax),
    stoppedForMs: (host) => Math.max(0, (stoppedUntilMs.get(host) ?? 0) - clock.nowMs()),
    isCutOff: (host) => clock.nowMs() < (cutUntilMs.get(host) ?? 0),
    schedule,
    crash,
    pause,
  });
  network.decide(fates.fateOf);

  function boot(machine: Machine): void {
    if (machine.host.life !== null) return;
    const life = machine.host.begin();
    say(`${life.host} starts`);
    const transport = network.host(life.host, { clock: life.clock });
    machine.start(life, createGate(gateDeps, machine.host, life), transport).catch((error: unknown) => {
      if (life.isOver) return;
      say(`${life.host} ends: ${String(error)}`);
      crash(life.host, RESTART_MS);
    });
  }

  const processDeps: ProcessDeps = {
    plan,
    roundStore,
    objectStore: objects.store,
    weather,
    latencyMs,
    randomOf: streamOf,
    receipts,
    trainings,
    findings,
    trace: say,
  };
  const skews = streamOf('skew');
  const add = (name: string, make: (deps: ProcessDeps, host: Host) => Machine): void => {
    machines.set(name, make(processDeps, createHost(name, clock, between(skews, -SKEW_MS_MAX, SKEW_MS_MAX))));
  };
  for (const name of ORCHESTRATORS) add(name, startOrchestrator);
  for (const name of AGGREGATORS) add(name, startAggregator);
  for (let index = 0; index < plan.world.agents; index += 1) add(agentName(index), startAgent);
  const operator = createOperator(plan, { clock, transport: network.host('operator'), trace: say });

  return {
    clock,
    findings,
    conductor,
    state,
    objects,
    receipts,
    trainings,
    takeovers,
    operator,
    calmAtMs: () => calmAtMs,
    start: () => {
      for (const machine of machines.values()) boot(machine);
      operator.start();
    },
    end: () => {
      for (const { host } of machines.values()) host.crash();
      operator.stop();
    },
  };
}

/** How long a call is under way that does not simply pass. */
function callLastsMs(fault: CallFault): number {
  switch (fault.kind) {
    case 'slowCall':
      return fault.ms;
    case 'lostRequest':
    case 'lostReply':
      return RESTART_MS;
    // A process that is killed or stopped is another one's turn; a call that comes twice delays nothing.
    case 'crashHere':
    case 'pauseHere':
    case 'repeatedCall':
      return -SESSION_RETRY_MS;
  }
}

/** A session whose store failed waits at most so long before the next try. */
const SESSION_RETRY_MS = 6_000;
/** More than any lease. */
const LEASE_JUMP_MS = 10_000;
