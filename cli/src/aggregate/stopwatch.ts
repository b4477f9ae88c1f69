/** Seconds of one thing after the other, by phase. */
export interface Stopwatch<Phase extends string> {
  /** Waits, and counts the wait for the phase. */
  spend<T>(phase: Phase, part: Promise<T>): Promise<T>;
  /** So far. */
  seconds(): Readonly<Record<Phase, number>>;
}

export function createStopwatch<Phase extends string>(phases: readonly Phase[]): Stopwatch<Phase> {
  const spentMs = new Map(phases.map((phase) => [phase, 0]));
  return {
    spend: async (phase, part) => {
      const startedAtMs = performance.now();
      try {
        return await part;
      } finally {
        spentMs.set(phase, spentMs.get(phase)! + performance.now() - startedAtMs);
      }
    },
    seconds: () =>
      Object.fromEntries([...spentMs].map(([phase, ms]) => [phase, ms / 1000])) as Readonly<Record<Phase, number>>,
  };
}
