import type { VirtualClock } from '../clock/virtual-clock.ts';
import type { Conductor } from '../faults/conductor.ts';
import type { Host, Life } from './host.ts';

/** The way of one life's calls to what lies outside of its process: each takes time, and each is a fault point. */
export interface Gate {
  /**
   * `point` names the call, as in `roundStore.commit`. What was sent arrives also when its sender dies meanwhile.
   *
   * @param signal ends the wait for the answer, as it ends a request of a client library: what was sent is still performed.
   */
  pass<T>(point: string, outside: Outside<T>, signal?: AbortSignal): Promise<T>;
}

export interface Outside<T> {
  /** How long the way takes, one way. */
  latencyMs(): number;
  perform(): Promise<T>;
  /** What the caller hears when it was not performed, or its answer was lost. */
  fault(why: string): Error;
}

export interface GateDeps {
  readonly clock: VirtualClock;
  readonly conductor: Conductor;
  /** Kills the process and starts it again after so long. */
  crash(host: string, downMs: number): void;
  pause(host: string, ms: number): void;
  /** This host makes calls without end while no time passes. */
  spins(host: string, points: readonly string[]): void;
}

/** So many calls take a millisecond together: stores that answer in no time would let a loop that waits for the next run for ever. */
const CALLS_PER_MS = 300;
/** A process that is as busy as that for so many milliseconds without a pause waits for nothing. */
const BUSY_MS_MAX = 50;
/** Of a loop, enough to see it. */
const POINTS_TOLD = 8;
/** A client library gives a lost call up after this. */
const GIVE_UP_MS = 1_000;

/** A new one each time: what waits for a promise is kept by it. */
const never = (): Promise<never> => new Promise(() => {});

export function createGate(deps: GateDeps, host: Host, life: Life): Gate {
  const { clock, conductor } = deps;

  const pace = createPace(clock);

  const wait = async (ms: number): Promise<void> => {
    if (ms > 0) await clock.sleep(ms);
  };

  async function send<T>(point: string, outside: Outside<T>): Promise<T> {
    const busyMs = pace.called(point);
    if (busyMs > 0) await clock.sleep(1);
    if (busyMs > BUSY_MS_MAX) deps.spins(host.name, pace.lastPoints);
    // A stopped process sends nothing.
    await life.hear(Promise.resolve());
    const { callFault, performed } = conductor.passing(host.name, point);
    const slow = callFault?.kind === 'slowCall' ? callFault : null;
    if (callFault?.kind === 'crashHere' && callFault.side !== 'after') deps.crash(host.name, callFault.downMs);
    if (callFault?.kind === 'pauseHere') deps.pause(host.name, callFault.ms);
    if (callFault?.kind === 'crashHere' && callFault.side === 'before') return never();
    if (callFault?.kind === 'pauseHere' && callFault.side === 'before') await life.hear(Promise.resolve());
    if (callFault?.kind === 'lostRequest') {
      await clock.sleep(GIVE_UP_MS);
      throw outside.fault('the call was lost on its way');
    }
    await wait(outside.latencyMs() + (slow?.way === 'there' ? slow.ms : 0));
    const answer = await outside.perform();
    performed();
    if (callFault?.kind === 'repeatedCall')
      clock.schedule(clock.nowMs() + callFault.afterMs, () => void outside.perform().catch(() => {}));
    if (callFault?.kind === 'crashHere' && callFault.side === 'after') deps.crash(host.name, callFault.downMs);
    if (callFault?.kind === 'lostReply') {
      await clock.sleep(GIVE_UP_MS);
      throw outside.fault('the answer was lost on its way');
    }
    await wait(outside.latencyMs() + (slow?.way === 'back' ? slow.ms : 0));
    return answer;
  }

  return {
    pass: (point, outside, signal) => {
      // A dead process makes no calls: what is left of it stands still.
      if (life.isOver) return never();
      if (signal === undefined) return life.hear(send(point, outside));
      return new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const giveUp = (): void => reject(signal.reason);
        signal.addEventListener('abort', giveUp, { once: true });
        life
          .hear(send(point, outside))
          .then(resolve, reject)
          .finally(() => signal.removeEventListener('abort', giveUp));
      });
    },
  };
}

/** Notices a process that makes calls without end. */
function createPace(clock: VirtualClock) {
  const lastPoints: string[] = [];
  let atMs = 0;
  let calls = 0;
  let busyMs = 0;
  return {
    lastPoints,
    /** For how many milliseconds in a row the process has been too busy; 0 when it is not. */
    called: (point: string): number => {
      lastPoints.push(point);
      if (lastPoints.length > POINTS_TOLD) lastPoints.shift();
      const nowMs = clock.nowMs();
      if (nowMs !== atMs) {
        busyMs = calls >= CALLS_PER_MS && nowMs === atMs + 1 ? busyMs + 1 : 0;
        atMs = nowMs;
        calls = 0;
      }
      calls += 1;
      return calls >= CALLS_PER_MS ? busyMs + 1 : 0;
    },
  };
}
