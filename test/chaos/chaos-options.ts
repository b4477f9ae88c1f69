import { parseArgs } from 'node:util';

export interface ChaosOptions {
  readonly faults: number;
  readonly rounds: number;
  readonly seed: number;
  readonly output: 'text' | 'json';
  readonly docs: 'leave' | 'write';
}

export const CHAOS_HELP = `usage: node test/chaos/run.ts [options]

Runs the platform as processes on a Redis and a MinIO of its own, twice with one seed: first undisturbed, then under faults. Says
whether an update was lost or counted twice, whether every adapter is the undisturbed run's, and how long each recovery took.

  --faults N     1 to 1000                                         (40)
  --seed N       0 to 2147483647                                   (1)
  --rounds N     1 to 1000                                         (three quarters of the faults, at least 2)
  --json         one JSON document on standard output; progress goes to standard error
  --write-docs   writes the table into docs/operating/recovering.md
  --help         this text

Needed: redis-server and minio on PATH, or Docker. Exit code: 0 when everything held, 1 when something did not, 2 when it could not begin.
`;

export class ChaosUsageError extends Error {
  override readonly name = 'ChaosUsageError';
}

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const NAMES = { faults: text, seed: text, rounds: text, json: flag, 'write-docs': flag, help: flag };

/** @returns null when help was asked for. @throws {ChaosUsageError} */
export function parseChaosOptions(args: readonly string[]): ChaosOptions | null {
  const values = parseStrictly(args);
  if (values.help === true) return null;
  const faults = wholeNumber('--faults', values.faults ?? '40', 1, 1_000);
  return {
    faults,
    rounds: wholeNumber('--rounds', values.rounds ?? String(Math.max(2, Math.ceil((3 * faults) / 4))), 1, 1_000),
    seed: wholeNumber('--seed', values.seed ?? '1', 0, 2 ** 31 - 1),
    output: values.json === true ? 'json' : 'text',
    docs: values['write-docs'] === true ? 'write' : 'leave',
  };
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: NAMES }).values;
  } catch (error) {
    throw new ChaosUsageError(`${(error as Error).message}; node test/chaos/run.ts --help tells the options`);
  }
}

function wholeNumber(name: string, got: string, least: number, most: number): number {
  const value = /^\d{1,10}$/.test(got) ? Number(got) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new ChaosUsageError(`${name} is ${JSON.stringify(got)}; allowed: a whole number from ${least} to ${most}`);
}
