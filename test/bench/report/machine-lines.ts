import { loadNotice, type MachineDescription } from '../machine/describe-machine.ts';
import type { MachinePeak } from '../machine/machine-peak.ts';
import { gibibytes } from './markdown.ts';

/** One paragraph above every table. */
export function machineLines(machine: MachineDescription, threads: number, peak: MachinePeak | null): string {
  const rate =
    peak === null
      ? 'peak not measured'
      : `peak ${(peak.operationsPerSecond / 1e9).toFixed(0)} Gflop/s (float32, ${peak.threads} threads, ${peak.measuredBy})`;
  const busy = loadNotice(machine);
  return [
    `${machine.cpu}, ${machine.cores} cores, ${gibibytes(machine.memoryBytes)}, ${machine.platform}; ${threads} threads; ${rate}.`,
    `Node ${machine.node}, commit ${machine.commit ?? 'unknown'}, ${machine.date.slice(0, 10)}, load before ${machine.loadBefore.toFixed(2)}.`,
    ...(busy === null ? [] : [`**${busy}**`]),
  ].join('\n');
}
