import { type ChildProcess, spawn } from 'node:child_process';
import type { Clock, Logger } from '@flexlora/runtime';
import { LINE_BYTES_MAX, type TrainerLimits } from './limits.ts';
import { createLineSplitter } from './line-splitter.ts';
import { createStderrLog } from './stderr-log.ts';
import { parseTrainerEvent, type TrainerEvent } from './trainer-event.ts';

/** One life of a trainer's process. */
export interface TrainerProcess {
  /** Resolves, once the process and all that it started are gone, with one sentence that says how it ended. */
  readonly ended: Promise<string>;
  isAlive(): boolean;
  send(message: Readonly<Record<string, unknown>>): void;
  /** Stops it at once; the reason becomes the sentence of `ended`. */
  kill(reason: string): void;
  /** Asks it to exit, then sees to it. */
  close(): Promise<void>;
}

export interface TrainerProcessOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** The whole environment of the process; the agent's own when absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly limits: TrainerLimits;
  readonly onEvent: (event: TrainerEvent) => void;
}

export function startTrainerProcess(
  options: TrainerProcessOptions,
  deps: { readonly clock: Clock; readonly logger: Logger },
): TrainerProcess {
  // A group of its own: what the trainer started dies with it, and Ctrl-C reaches the agent first.
  const child = spawn(options.command, options.args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stderr = createStderrLog(deps);
  let splitter = createLineSplitter(LINE_BYTES_MAX);
  let killedFor: string | null = null;
  let alive = true;

  const ended = new Promise<string>((resolve) => {
    const over = (how: string): void => {
      if (!alive) return;
      alive = false;
      const lines = stderr.lastLines();
      resolve(`${killedFor ?? how}${lines === '' ? '' : `; its last words: ${lines}`}`);
    };
    child.on('error', (error) => {
      if (child.pid === undefined)
        over(`cannot start ${options.command}: ${error.message}; set a command that is there`);
    });
    // Processes that the trainer left behind hold its pipes open: they end before 'close' comes.
    child.on('exit', () => signalGroup(child, 'SIGKILL'));
    child.on('close', (code, signal) =>
      over(signal === null ? `the trainer exited with code ${code}` : `the trainer was ended by ${signal}`),
    );
  });

  const kill = (reason: string): void => {
    killedFor ??= reason;
    signalGroup(child, 'SIGKILL');
  };

  child.stdout.on('data', (chunk: Buffer) => {
    if (killedFor !== null) return;
    const lines = splitter.push(chunk);
    if (lines === 'tooLong') {
      splitter = createLineSplitter(LINE_BYTES_MAX);
      kill(
        `the trainer wrote a line of more than ${LINE_BYTES_MAX} bytes, which is the most that is read, and was stopped`,
      );
    } else for (const line of lines) if (line.trim() !== '') options.onEvent(parseTrainerEvent(line));
  });
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A process that died closes the pipe; 'close' tells of it.
  for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.on('error', () => {});

  return {
    ended,
    isAlive: () => alive && killedFor === null,
    send: (message) => void child.stdin.write(`${JSON.stringify(message)}\n`),
    kill,
    close: async () => {
      if (!alive) return;
      killedFor ??= 'the trainer was closed';
      child.stdin.end(`${JSON.stringify({ id: 'shutdown', kind: 'shutdown' })}\n`);
      if (await endsWithin(options.limits.exitMs)) return;
      deps.logger.warn(
        { exitMs: options.limits.exitMs },
        'the trainer did not exit when it was asked to; it is stopped',
      );
      signalGroup(child, 'SIGTERM');
      if (await endsWithin(options.limits.termMs)) return;
      signalGroup(child, 'SIGKILL');
      await ended;
    },
  };

  async function endsWithin(ms: number): Promise<boolean> {
    const wait = new AbortController();
    const late = deps.clock.sleep(ms, wait.signal).then(
      () => false,
      () => true,
    );
    const inTime = await Promise.race([ended.then(() => true), late]);
    wait.abort();
    return inTime;
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}
