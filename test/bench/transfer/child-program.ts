import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What a process has used since it began. */
export interface Usage {
  readonly cpuSeconds: number;
  /** The most that was resident. */
  readonly peakBytes: number;
}

/** A program of this folder as a process of its own. */
export interface ChildProgram {
  /** On which it listens; 0 where it does not. */
  readonly port: number;
  ask(order: string): Promise<unknown>;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

/** The program's side: tells its port, answers each line with what is asked for or with what it has used, and ends with its parent. */
export function answerOrders(port: number, orders: Readonly<Record<string, () => Promise<unknown>>> = {}): void {
  const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what ?? null)}\n`);
  const usage = async (): Promise<Usage> => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    return { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: maxRSS * 1024 };
  };
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => void (orders[line] ?? usage)().then(say));
  lines.on('close', () => process.exit(0));
  say({ port });
}

export async function startProgram(file: string, args: readonly string[]): Promise<ChildProgram> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const line = await lines.next();
    if (line.done === true) throw new Error(`${file} ended by itself`);
    return JSON.parse(line.value);
  };
  const { port } = (await next()) as { readonly port: number };
  const ask = (order: string): Promise<unknown> => {
    child.stdin.write(`${order}\n`);
    return next();
  };
  return {
    port,
    ask,
    usage: async () => (await ask('usage')) as Usage,
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
