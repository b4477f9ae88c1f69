import type { Clock } from '@flexlora/runtime';
import { sleepOn, type VirtualClock } from '../clock/virtual-clock.ts';

/**
 * A machine on which one process lives, dies and lives again. What it has on disk outlasts its lives; nothing else does: a dead life hears
 * no timer, no answer and no message, so that its code stands still at its last await for ever.
 */
export interface Host {
  readonly name: string;
  /** Of the life under way; null while the process is down. */
  readonly life: Life | null;
  /** Starts the process. */
  begin(): Life;
  /** SIGKILL. */
  crash(): void;
  /** SIGSTOP. Whatever comes meanwhile waits, in order. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
}

/** One process from its start to its death. */
export interface Life {
  readonly host: string;
  /** Counts from 1. */
  readonly number: number;
  /** The host's own: it may be ahead of the others' or behind. */
  readonly clock: Clock;
  readonly isOver: boolean;
  /** Does it now, or when the process is continued; never when it is dead. Everything from outside comes this way. */
  deliver(act: () => void): void;
  /** What came from outside, as the process hears it: never, when it is dead. */
  hear<T>(outside: Promise<T>): Promise<T>;
  /** Called once at its death. */
  onEnd(act: () => void): void;
}

export function createHost(name: string, clock: VirtualClock, skewMs: number): Host {
  let number = 0;
  let life: (Life & { readonly end: () => void }) | null = null;
  let paused = false;
  /** What waits for SIGCONT. */
  let held: (() => void)[] = [];

  const newLife = (): Life & { readonly end: () => void } => {
    number += 1;
    let isOver = false;
    const ends: (() => void)[] = [];
    const deliver = (act: () => void): void => {
      if (isOver) return;
      if (paused) held.push(() => deliver(act));
      else act();
    };
    const schedule = (atMs: number, wake: () => void): (() => void) => {
      let isTakenBack = false;
      const takeBack = clock.schedule(atMs - skewMs, () =>
        deliver(() => {
          if (!isTakenBack) wake();
        }),
      );
      return () => {
        isTakenBack = true;
        takeBack();
      };
    };
    const nowMs = (): number => clock.nowMs() + skewMs;
    return {
      host: name,
      number,
      get isOver() {
        return isOver;
      },
      clock: { nowMs, sleep: (ms, signal) => sleepOn(schedule, nowMs() + Math.max(0, ms), signal) },
      deliver,
      hear: (outside) =>
        new Promise((resolve, reject) => {
          outside.then(
            (value) => deliver(() => resolve(value)),
            (error: unknown) => deliver(() => reject(error)),
          );
        }),
      onEnd: (act) => void ends.push(act),
      end: () => {
        isOver = true;
        for (const act of ends.splice(0)) act();
      },
    };
  };

  return {
    name,
    get life() {
      return life;
    },
    begin: () => {
      if (life !== null) throw new TypeError(`${name} is alive: crash it first`);
      life = newLife();
      return life;
    },
    crash: () => {
      life?.end();
      life = null;
      paused = false;
      held = [];
    },
    pause: () => {
      if (life !== null) paused = true;
    },
    resume: () => {
      paused = false;
      for (const act of held.splice(0)) act();
    },
  };
}
