import { spawnSync } from 'node:child_process';
import { arch, availableParallelism, cpus, loadavg, platform, totalmem } from 'node:os';

/** Where and with what figures were taken: without it they say nothing. */
export interface MachineDescription {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly node: string;
  /** Of the repository; ends in `-dirty` where tracked files differ from it. null outside a checkout. */
  readonly commit: string | null;
  /** ISO 8601, UTC. */
  readonly date: string;
  /** Processes that wanted a core in the minute before: above a few tenths, others took part of the machine. */
  readonly loadBefore: number;
}

export function describeMachine(): MachineDescription {
  const git = spawnSync('git', ['describe', '--always', '--dirty', '--abbrev=12', '--exclude=*'], {
    cwd: import.meta.dirname,
    encoding: 'utf8',
  });
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    platform: `${platform()} ${arch()}`,
    node: process.versions.node,
    commit: git.status === 0 ? git.stdout.trim() : null,
    date: new Date().toISOString(),
    loadBefore: loadavg()[0]!,
  };
}

/** Above it, figures tell of the others too. */
const LOAD_QUIET = 0.5;

/** What to say before a run on a machine that others use, or null. */
export function loadNotice({ loadBefore }: MachineDescription): string | null {
  if (loadBefore <= LOAD_QUIET) return null;
  return `The load is ${loadBefore.toFixed(2)}, on a quiet machine below ${LOAD_QUIET}: others use the machine, and figures and ratios are worth little: take them again when it is quiet.`;
}
