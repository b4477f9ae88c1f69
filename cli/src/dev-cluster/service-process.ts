import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** One service of the development cluster, as a process of its own. */
export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** The exit code, or null when a signal ended it; pending while it runs. */
  readonly exited: Promise<number | null>;
  /** Asks it to stop, and ends it when it does not. */
  stop(): Promise<void>;
  /** Ends it, and what it started, at once. */
  kill(): void;
}

export interface ServiceProcessOptions {
  readonly name: string;
  /** A TypeScript file that Node runs as it stands. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
}

/** A service drains within this; then it is killed. */
const STOP_MS_MAX = 15_000;

/** A group of its own: Ctrl-C in a terminal goes to the whole foreground group, and only who started the service may stop it. */
export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const log = createWriteStream(options.logFile, { flags: 'a' });
  const child = spawn(process.execPath, [options.main], {
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  await once(child, 'spawn');
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      log.end();
      resolve(code);
    });
  });
  const { name, logFile } = options;
  const kill = (): void => killGroup(child);
  return { name, logFile, pid: child.pid ?? 0, exited, stop: () => stop(child, exited), kill };
}

async function stop(child: ChildProcess, exited: Promise<number | null>): Promise<void> {
  if (hasEnded(child)) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => killGroup(child), STOP_MS_MAX);
  await exited;
  clearTimeout(late);
}

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null;

/** With its trainer. */
function killGroup(child: ChildProcess): void {
  if (hasEnded(child) || child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended, and is not yet known to have.
  }
}
