import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What a process has used since it began. */
export interface Usage {
  readonly cpuSeconds: number;
  /** The most that was resident. */
  readonly peakBytes: number;
}

/** A program of this folder as a process of its own, which listens on a port. */
export interface ChildProgram {
  readonly port: number;
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

/** The program's side: tells its port, answers each line with what it has used, and ends with its parent. */
export function answerOrders(port: number): void {
  const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', () => {
    const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
    const usage: Usage = { cpuSeconds: (userCPUTime + systemCPUTime) / 1e6, peakBytes: maxRSS * 1024 };
    say(usage);
  });
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
  return {
    port,
    usage: async () => {
      child.stdin.write('usage\n');
      return (await next()) as Usage;
    },
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
