import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';

/** One service of the development cluster, as a process of its own. */
export interface ServiceProcess {
  readonly name: string;
  readonly pid: number;
  /** The exit code, or null when a signal ended it; pending while it runs. */
  readonly exited: Promise<number | null>;
  /** Asks it to stop, and ends it when it does not. */
  stop(): Promise<void>;
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

export async function startServiceProcess(options: ServiceProcessOptions): Promise<ServiceProcess> {
  const log = createWriteStream(options.logFile, { flags: 'a' });
  const child = spawn(process.execPath, [options.main], { env: { ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  await once(child, 'spawn');
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      log.end();
      resolve(code);
    });
  });
  return { name: options.name, pid: child.pid ?? 0, exited, stop: () => stop(child, exited) };
}

async function stop(child: ChildProcess, exited: Promise<number | null>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await exited;
  clearTimeout(late);
}
