import { readFileSync } from 'node:fs';

/** Sends a signal to a whole process group; one that is gone is no fault. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // It has ended.
  }
}

const endings = new Set<() => void>();

/** A process that exits before it has stopped what it started leaves none of it behind. Whatever this calls must be synchronous, and may be needless. */
export function endsWithUs(end: () => void): void {
  if (endings.size === 0) {
    process.on('exit', () => {
      for (const each of endings) each();
    });
  }
  endings.add(end);
}

/** The pid that a file holds, if a process runs under it whose command line has `mark`: a number that is in use again is somebody else's. */
export function pidIn(file: string, mark: string): readonly number[] {
  try {
    const pid = Number(readFileSync(file, 'utf8'));
    return pid > 1 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark) ? [pid] : [];
  } catch {
    return [];
  }
}
