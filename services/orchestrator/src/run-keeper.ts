import type { RoundEvent, RoundState, RunId } from '@flexlora/core';
import { backoffMs, type Clock, type Logger, retry } from '@flexlora/runtime';
import type { Lease, LeaseAnswer, ObjectStore, RoundStore } from '@flexlora/stores';
import { createEffectRunner } from './effects/effect-runner.ts';
import { RUNS_POLL_MS, SESSION_RETRY, SETTLED_POLL_MS } from './limits.ts';
import type { OrchestratorMetrics } from './metrics.ts';
import type { EventDoor } from './offer-event.ts';
import { lookAhead } from './recovery/look-ahead.ts';
import { recoverRun } from './recovery/recover-run.ts';
import { holdRun, type SessionEnd } from './run-session.ts';
import type { RunSignals } from './run-signals.ts';
import { createWaitingRuns } from './waiting-runs.ts';

/**
 * Keeps every run going: for each it takes the lease or stands by, and holds the run while it has it. Losing this process costs each
 * of its runs one lease time.
 */
export interface RunKeeper {
  /** Ends every session and gives its lease back. */
  stop(): Promise<void>;
}

export interface RunKeeperDeps {
  readonly roundStore: RoundStore;
  readonly objectStore: ObjectStore;
  readonly signals: RunSignals;
  readonly door: EventDoor;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: Logger;
  readonly metrics: OrchestratorMetrics;
}

export interface RunKeeperOptions {
  /** Unique to the process; each grant's is `<holder>-<n>`, so that no two tokens are equal, not even across a loss of the round store. */
  readonly holder: string;
  readonly leaseMs: number;
}

/** A lease is renewed this many times in its life: one lost renewal loses nothing. */
const RENEWALS_PER_LEASE = 3;

/** How far apart those that wait for one lease ask for it. */
const STAND_BY_SPREAD_MS = 200;

export function createRunKeeper(deps: RunKeeperDeps, options: RunKeeperOptions): RunKeeper {
  const { roundStore, signals, clock, logger, metrics } = deps;
  const stopping = new AbortController();
  const keeping = new Map<RunId, Promise<void>>();
  const waitingRuns = createWaitingRuns(deps);
  let held = 0;
  let grants = 0;

  /** Renews until the session ends; aborts it when the lease is lost. */
  const renew = async (lease: Lease, session: AbortController): Promise<void> => {
    while (!session.signal.aborted) {
      await clock.sleep(options.leaseMs / RENEWALS_PER_LEASE, session.signal);
      if (!(await roundStore.renewLease(lease, options.leaseMs))) {
        session.abort(new Error(`the lease of run ${lease.runId} is lost`));
      }
    }
  };

  const hold = async (lease: Lease, runLogger: Logger): Promise<SessionEnd> => {
    const session = new AbortController();
    const end = (): void => session.abort(stopping.signal.reason);
    stopping.signal.addEventListener('abort', end, { once: true });
    // The stop may have come while the lease was on its way: a signal that is aborted already tells no listener.
    if (stopping.signal.aborted) end();
    const { signal } = session;
    const catchUp = (state: RoundState) => recoverRun(deps, lease.runId, signal, state);
    const effects = createEffectRunner({ ...deps, logger: runLogger, signal, catchUp, lease });
    const look = (state: RoundState): Promise<RoundEvent | null> =>
      lookAhead({ ...deps, logger: runLogger }, state, signal, () => {
        retry(() => catchUp(state), SESSION_RETRY, deps, { signal }).then(
          (refusal) => {
            if (refusal !== null) runLogger.error({ refusal }, 'the run refused what the object store holds beyond it');
          },
          (error: unknown) => {
            if (!signal.aborted) runLogger.error({ err: error }, 'the run could not be told what it lacks');
          },
        );
      });
    const renewing = renew(lease, session).catch((error: unknown) => session.abort(error));
    const waiting = waitingRuns.follow(lease.runId, runLogger);
    metrics.leasesHeld(++held);
    runLogger.info({ epoch: lease.epoch }, 'took the lease');
    try {
      const offered = signals.offered(lease.runId);
      const sessionEnd = await holdRun({ ...deps, logger: runLogger, waiting }, lease, offered, effects, look, signal);
      runLogger.info({ epoch: lease.epoch, sessionEnd }, 'session ended');
      return sessionEnd;
    } finally {
      stopping.signal.removeEventListener('abort', end);
      session.abort(new Error('the session ended'));
      waiting.end();
      await renewing;
      // First, so that a backend that hangs keeps nobody from the run: what is still under way is idempotent, and commits nothing.
      await roundStore.releaseLease(lease).catch((error: unknown) => {
        runLogger.warn({ err: error }, 'the lease could not be given back; it runs out by itself');
      });
      metrics.leasesHeld(--held);
      await settledWithin(effects.idle(), options.leaseMs, clock);
    }
  };

  const keep = async (runId: RunId): Promise<void> => {
    const runLogger = logger.child({ runId });
    const [offered, released] = [signals.offered(runId), signals.released(runId)];
    let failures = 0;
    while (!stopping.signal.aborted) {
      const [seen, seenReleased] = [offered.count, released.count];
      try {
        grants += 1;
        const answer = await roundStore.acquireLease(runId, `${options.holder}-${grants}`, options.leaseMs);
        const end: SessionEnd | Exclude<LeaseAnswer, { kind: 'granted' }> =
          answer.kind === 'granted' ? await hold(answer.lease, runLogger) : answer;
        failures = 0;
        if (typeof end === 'object') {
          // A holder renews long before: the stand-by that waits for the end finds a lost lease as soon as it is lost.
          const waitMs = end.kind === 'held' ? standByMs(end.forMs, options.leaseMs, deps.random) : RUNS_POLL_MS;
          await released.waitSince(seenReleased, waitMs, stopping.signal);
        }
        if (end === 'nothingLeft') await offered.waitSince(seen, SETTLED_POLL_MS, stopping.signal);
        if (end === 'noRun') await offered.waitSince(seen, RUNS_POLL_MS, stopping.signal);
      } catch (error) {
        if (stopping.signal.aborted) return;
        failures += 1;
        metrics.sessionFailed();
        const waitMs = backoffMs(SESSION_RETRY, failures, deps.random);
        runLogger.error({ err: error, failures, waitMs }, 'a session failed; the run is taken up again');
        await clock.sleep(waitMs, stopping.signal).catch(() => {});
      }
    }
  };

  const discover = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const seen = signals.unknownOffered.count;
      try {
        for (const runId of await roundStore.listRuns()) {
          if (!keeping.has(runId)) keeping.set(runId, keep(runId));
        }
      } catch (error) {
        logger.warn({ err: error }, 'the runs could not be listed; they are listed again');
      }
      await signals.unknownOffered.waitSince(seen, RUNS_POLL_MS, stopping.signal).catch(() => {});
    }
  };
  const discovering = discover();

  return {
    stop: async () => {
      stopping.abort(new Error('the process stops'));
      await discovering;
      await Promise.all(keeping.values());
    },
  };
}

/** Several stand-bys do not ask in step. */
const standByMs = (forMs: number, leaseMs: number, random: () => number): number =>
  Math.min(Math.max(forMs, 0), leaseMs) + 1 + random() * STAND_BY_SPREAD_MS;

/** Resolves when the work has ended, or after `ms` without it. */
async function settledWithin(work: Promise<void>, ms: number, clock: Clock): Promise<void> {
  const cut = new AbortController();
  await Promise.race([work, clock.sleep(ms, cut.signal).catch(() => {})]);
  cut.abort();
}
