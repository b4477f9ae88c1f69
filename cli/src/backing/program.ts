import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '@flexlora/core';
import type { Clock } from '@flexlora/runtime';
import { freePort } from './free-ports.ts';

/** A store that this process started. */
export interface BackingProgram {
  readonly name: string;
  readonly pid: number;
  readonly port: number;
  /** Resolves with how it ended; pending while it runs. */
  readonly ended: Promise<string>;
  /** Ends it at once: its data is removed anyway. */
  stop(): Promise<void>;
}

/** How one kind of store is started. */
export interface ProgramRecipe {
  readonly program: string;
  readonly environment: Readonly<Record<string, string>>;
  arguments(port: number, directory: string): readonly string[];
  /** Whether it answers on 127.0.0.1; never throws. */
  answers(port: number): Promise<boolean>;
}

const ANSWER_MS_MAX = 30_000;
const POLL_MS = 50;
const LOG_CHARS_KEPT = 2_000;

/** The program's path; null when it is in none of the folders. */
export function findProgram(program: string, folders: readonly string[]): string | null {
  for (const folder of folders) {
    const path = join(folder, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // Not here: the next folder.
    }
  }
  return null;
}

/** Starts it on a free port with its data in `directory`. @throws {Fault} when it ends, or does not answer in time. */
export async function startProgram(
  recipe: ProgramRecipe,
  options: {
    readonly path: string;
    readonly directory: string;
    readonly environment: Readonly<Record<string, string>>;
  },
  deps: { readonly clock: Clock },
): Promise<BackingProgram> {
  const port = await freePort();
  const child = spawn(options.path, recipe.arguments(port, options.directory), {
    cwd: options.directory,
    env: { ...options.environment, ...recipe.environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own: Ctrl-C in a terminal would end the store before the services that stop cleanly with it.
    detached: true,
  });
  const killNow = (): void => void child.kill('SIGKILL');
  process.once('exit', killNow);
  const ended = endOf(child);
  let end: string | null = null;
  void ended.then((how) => {
    end = how;
    process.off('exit', killNow);
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  for (const until = deps.clock.nowMs() + ANSWER_MS_MAX; !(await recipe.answers(port)); ) {
    if (end !== null) throw new Fault(`${options.path} ended before it answered: ${end}`);
    if (deps.clock.nowMs() > until) {
      await stop();
      throw new Fault(`${options.path} did not answer on port ${port} within ${ANSWER_MS_MAX} ms`);
    }
    await deps.clock.sleep(POLL_MS);
  }
  return { name: recipe.program, pid: child.pid ?? 0, port, ended, stop };
}

function endOf(child: ChildProcess): Promise<string> {
  let log = '';
  const keep = (text: Buffer): void => {
    log = (log + text.toString()).slice(-LOG_CHARS_KEPT);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => {
      const said = log.trim() === '' ? '' : `; it last said: ${log.trim()}`;
      resolve(`${code === null ? `signal ${signal}` : `exit code ${code}`}${said}`);
    });
  });
}
