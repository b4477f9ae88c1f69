import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { AggregateReport } from '../../../cli/src/aggregate/aggregate-report.ts';
import type { MadeAdapter } from './made-adapters.ts';

export interface AggregateRun {
  readonly updates: readonly MadeAdapter[];
  readonly rank: number;
  readonly out: string;
  readonly threads: number;
  /** The kernel's own where absent. */
  readonly memoryBytes?: number;
}

export interface AggregateFigures {
  /** From the start of the process to its end. */
  readonly seconds: number;
  /** The largest resident memory, as the system and the process itself say; the larger of the two. */
  readonly peakBytes: number;
  readonly report: AggregateReport;
}

const LAUNCHER = fileURLToPath(new URL('../../../cli/bin/flexlora.mjs', import.meta.url));
/** The system keeps the peak: only one that comes later than the last look is missed, and that the process reports. */
const LOOK_MS = 50;

/** `flexlora aggregate` as a process of its own, as a user starts it. */
export async function aggregateProcess(run: AggregateRun, signal: AbortSignal): Promise<AggregateFigures> {
  const { updates, rank, out, threads, memoryBytes } = run;
  const args = [
    ...updates.flatMap(({ directory, samples }) => ['--update', `${directory}=${samples}`]),
    ...['--rank', `${rank}`, '--out', out, '--threads', `${threads}`, '--json'],
    ...(memoryBytes === undefined ? [] : ['--memory', `${memoryBytes}`]),
  ];
  const started = performance.now();
  const child = spawn(process.execPath, [LAUNCHER, 'aggregate', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  });
  let seen = 0;
  const look = setInterval(() => {
    seen = Math.max(seen, residentPeak(child.pid) ?? 0);
  }, LOOK_MS);
  try {
    const ended = once(child, 'exit');
    const [[code], stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    const seconds = (performance.now() - started) / 1000;
    if (code !== 0) throw new Error(`flexlora aggregate ended with code ${code}:\n${stderr}`);
    const report = JSON.parse(stdout) as AggregateReport;
    return { seconds, peakBytes: Math.max(seen, report.peak_memory_bytes), report };
  } finally {
    clearInterval(look);
  }
}

/** Linux's high-water mark of a process; null elsewhere, and once it has ended. */
function residentPeak(pid: number | undefined): number | null {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kibibytes === undefined ? null : Number(kibibytes) * 1024;
  } catch {
    return null;
  }
}
