import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '../../../cli/src/backing/free-ports.ts';
import { awaitAnswer } from './await-answer.ts';
import type { BackingService, ServiceRecipe } from './backing-service.ts';

const LOG_CHARS_KEPT = 2_000;

export function findOnPath(program: string): string | null {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(directory, program);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return null;
}

/** Runs the server as a child of this process, its data in the folder that is given, else in a new one of the system's temporary one. */
export async function startProgram(recipe: ServiceRecipe, path: string, given?: string): Promise<BackingService> {
  const port = await freePort();
  const directory = given ?? (await mkdtemp(join(tmpdir(), `flexlora-${recipe.program}-`)));
  let running: { readonly child: ChildProcess; readonly ended: Promise<void> } | null = null;
  const endWithUs = (): void => {
    running?.child.kill('SIGKILL');
  };
  process.once('exit', endWithUs);

  async function start(): Promise<void> {
    let log = '';
    let death: string | null = null;
    const child = spawn(path, recipe.programArguments(port, directory), {
      cwd: directory,
      env: { ...process.env, ...recipe.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const keep = (text: Buffer): void => {
      log = (log + text.toString()).slice(-LOG_CHARS_KEPT);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const ended = new Promise<void>((resolve) => {
      child.once('error', (error) => {
        death = error.message;
        resolve();
      });
      child.once('exit', (code, signal) => {
        death ??= `exit ${code ?? signal}; it last said: ${log.trim()}`;
        resolve();
      });
    });
    running = { child, ended };
    await awaitAnswer(recipe, port, () => death);
  }

  async function kill(signal: 'SIGKILL' | 'SIGTERM' = 'SIGKILL'): Promise<void> {
    const last = running;
    running = null;
    last?.child.kill(signal);
    await last?.ended;
  }

  const send = async (signal: 'SIGSTOP' | 'SIGCONT'): Promise<void> => {
    running?.child.kill(signal);
  };

  async function stop(): Promise<void> {
    process.off('exit', endWithUs);
    await kill();
    if (given === undefined) await rm(directory, { recursive: true, force: true });
  }

  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const [pause, resume] = [() => send('SIGSTOP'), () => send('SIGCONT')];
  return { port, directory, kill, pause, resume, restart: start, stop };
}
