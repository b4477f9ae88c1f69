/** What the cores do at most: float32 matrix products of matrices that lie in the cache or nearly so. */
export interface MachinePeak {
  /** A multiplication and an addition count as two. */
  readonly operationsPerSecond: number;
  readonly threads: number;
  readonly measuredBy: string;
}

/** Something that measures the rate of a float32 matrix product, in operations a second; null where this machine does not have it. */
export interface PeakMeter {
  readonly name: string;
  readonly measure: () => Promise<number | null>;
}

/** A meter takes milliseconds, which other work can spoil: each measures so often. */
const MEASUREMENTS = 8;

/** The largest rate that any of the meters reached in any of its measurements, so that no share is flattered by a slow meter; null where none has one. */
export async function machinePeak(threads: number, meters: readonly PeakMeter[]): Promise<MachinePeak | null> {
  let peak: MachinePeak | null = null;
  for (const { name, measure } of meters.flatMap((meter) => Array.from({ length: MEASUREMENTS }, () => meter))) {
    const operationsPerSecond = await measure();
    if (operationsPerSecond === null) continue;
    if (peak !== null && peak.operationsPerSecond >= operationsPerSecond) continue;
    peak = { operationsPerSecond, threads, measuredBy: name };
  }
  return peak;
}
