import { readFile } from 'node:fs/promises';

/** The most memory that a process ever held, in bytes; null when it has ended, or where the system does not tell (it is no Linux). */
export async function peakMemoryBytes(pid: number): Promise<number | null> {
  try {
    return peakOfStatus(await readFile(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return null;
  }
}

/** `VmHWM` of /proc/<pid>/status: the high-water mark of the resident set. */
export function peakOfStatus(status: string): number | null {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(status) ?? [];
  return kib === undefined ? null : Number(kib) * 1_024;
}
