import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The command line as a user starts it: a process of its own. */
export interface CliProcess {
  /** Resolves when a line of standard error matches; rejects when the process ends before. */
  line(pattern: RegExp): Promise<RegExpExecArray>;
  signal(name: NodeJS.Signals): void;
  /** As a terminal sends it: to the process and to all that share its group. */
  signalGroup(name: NodeJS.Signals): void;
  /** Resolves when the process has ended. */
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

const launcher = fileURLToPath(new URL('../../cli/bin/flexlora.mjs', import.meta.url));

export function startCli(
  args: readonly string[],
  options: { readonly env?: Readonly<Record<string, string>>; readonly cwd?: string } = {},
): CliProcess {
  const child = spawn(process.execPath, [launcher, ...args], {
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, as a shell gives it.
    detached: true,
  });
  let stdout = '';
  let stderr = '';
  let heard = (): void => {};
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    heard();
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    ended,
    signal: (name) => {
      child.kill(name);
    },
    signalGroup: (name) => {
      process.kill(-(child.pid ?? assert.fail('the process did not start')), name);
    },
    line: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const match = pattern.exec(stderr);
          if (match !== null) resolve(match);
        };
        heard = look;
        look();
        void ended.then(() => reject(new Error(`the process ended before a line matched ${pattern}:\n${stderr}`)));
      }),
  };
}

/** What `--json` printed: the last line of standard output. */
export function reportIn(stdout: string): FederationReport {
  return JSON.parse(stdout.trimEnd().split('\n').at(-1) ?? '') as FederationReport;
}

/** The documented keys of the report. */
export interface FederationReport {
  readonly base_loss: number;
  readonly rounds: readonly {
    readonly round: number;
    readonly held_out_loss: number;
    readonly updates: number;
    readonly residual_max: number;
  }[];
  readonly by_rank: Readonly<Record<string, number>>;
  readonly agents: readonly {
    readonly agent: string;
    readonly ranks: Readonly<Record<string, number>>;
    readonly why: string;
  }[];
  readonly adapter_dir: string;
  readonly seconds: number;
}
