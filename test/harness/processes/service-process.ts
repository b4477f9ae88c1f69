import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { endsWithUs, signalGroup } from './process-group.ts';

/** One line that a service logged: its fields, and when. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string; readonly atMs: number };

/** A service as a process of its own that a test may kill, pause and start again under the same name, environment and log file. */
export interface ServiceProcess {
  readonly name: string;
  /** Null while it does not run. */
  pid(): number | null;
  start(): Promise<void>;
  /** Ends it at once, with the processes that it started. Resolves when it has ended. */
  kill(): Promise<void>;
  /** Asks it to end; one that does not within `STOP_MS_MAX` is killed. */
  stop(): Promise<void>;
  /** Stops it where it stands, and what it started with it. */
  pause(): void;
  resume(): void;
  /** Resolves when the process that runs now has ended; at once when none runs. */
  ended(): Promise<void>;
}

export interface ServiceProcessOptions {
  readonly name: string;
  /** A TypeScript file that Node runs as it stands. */
  readonly main: string;
  readonly env: Readonly<Record<string, string>>;
  readonly logFile: string;
  /** Process groups that belong to it although they are groups of their own: its trainer. */
  readonly companions?: () => readonly number[];
  readonly onLine: (line: LogLine) => void;
  /** It ended and nobody here had asked it to. */
  readonly onEndedItself: (end: string) => void;
}

const STOP_MS_MAX = 15_000;
const GONE_MS_MAX = 5_000;
const POLL_MS = 10;

export function createServiceProcess(options: ServiceProcessOptions): ServiceProcess {
  const { name, companions = () => [] } = options;
  let running: { readonly child: ChildProcess; readonly ended: Promise<void> } | null = null;
  let isExpected = false;

  const pid = (): number | null => running?.child.pid ?? null;
  const groups = (): readonly number[] => [
    ...(running?.child.pid === undefined ? [] : [running.child.pid]),
    ...companions(),
  ];
  const send = (signal: NodeJS.Signals, to: readonly number[] = groups()): void => {
    for (const group of to) signalGroup(group, signal);
  };
  const killAll = (): void => send('SIGKILL');
  endsWithUs(killAll);

  async function start(): Promise<void> {
    if (running !== null) throw new Error(`${name} runs already, as process ${pid()}`);
    isExpected = false;
    const log = createWriteStream(options.logFile, { flags: 'a' });
    const child = spawn(process.execPath, [options.main], {
      env: { ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own: Ctrl-C in a terminal goes to the whole foreground group, and only who started it may end it.
      detached: true,
    });
    const ended = new Promise<void>((resolve) => {
      child.once('exit', (code, signal) => {
        running = null;
        resolve();
        if (!isExpected) options.onEndedItself(code === null ? `signal ${signal}` : `exit code ${code}`);
      });
    });
    running = { child, ended };
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (text) => hear(text, log, options.onLine));
    }
    child.once('close', () => log.end());
    await once(child, 'spawn');
  }

  async function kill(): Promise<void> {
    const last = running;
    isExpected = true;
    killAll();
    await last?.ended;
    await companionsGone();
  }

  /** They are no children of ours, so nobody tells when a signal has reached them. */
  async function companionsGone(): Promise<void> {
    for (const until = Date.now() + GONE_MS_MAX; companions().length > 0; await sleep(POLL_MS)) {
      if (Date.now() > until) throw new Error(`${name}: process group ${companions()} is still there after SIGKILL`);
      send('SIGKILL', companions());
    }
  }

  return {
    name,
    pid,
    start,
    kill,
    async stop() {
      const last = running;
      if (last === null) return;
      isExpected = true;
      last.child.kill('SIGTERM');
      const late = setTimeout(killAll, STOP_MS_MAX);
      await last.ended;
      clearTimeout(late);
      await companionsGone();
    },
    pause: () => send('SIGSTOP'),
    resume: () => send('SIGCONT'),
    ended: () => running?.ended ?? Promise.resolve(),
  };
}

function hear(text: string, log: WriteStream, onLine: (line: LogLine) => void): void {
  log.write(`${text}\n`);
  const line = parseLogLine(text);
  if (line !== null) onLine(line);
}

/** Null for a text that is no line of a service's log. */
export function parseLogLine(text: string): LogLine | null {
  if (!text.startsWith('{')) return null;
  try {
    const fields = JSON.parse(text) as Record<string, unknown>;
    const atMs = Date.parse(String(fields['time']));
    return typeof fields['msg'] === 'string' && Number.isFinite(atMs) ? { ...fields, msg: fields['msg'], atMs } : null;
  } catch {
    return null;
  }
}
