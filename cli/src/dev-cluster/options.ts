import { parseArgs } from 'node:util';
import { UsageError, wholeNumber } from '../start/options.ts';

/** What `flexlora dev-cluster` was asked for. */
export interface DevClusterOptions {
  readonly agents: number;
  readonly rounds: number;
  readonly seed: number;
  readonly orchestrators: number;
  readonly aggregators: number;
  readonly output: 'view' | 'json';
}

export const DEV_CLUSTER_HELP = `usage: REDIS_URL=… S3_ENDPOINT=… AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=… flexlora dev-cluster [options]

Starts every service as a process of its own on a real Redis and a real S3, runs one federation, and stops them.
Process ids and log files stand in the folder that it names: kill what you like.

  --agents N         2 to 13                                          (4)
  --rounds N         1 to 100                                         (4)
  --orchestrators N  1 to 8                                           (2)
  --aggregators N    1 to 8                                           (2)
  --seed N           0 to 2147483647                                  (1)
  --json             one JSON document on the last line of standard output; the view goes to standard error
  --help             this text

environment: REDIS_URL, S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN (none), S3_BUCKET (flexlora),
             S3_REGION (us-east-1), S3_PATH_STYLE (true)
`;

const SEED_MAX = 2 ** 31 - 1;
const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;

/** @returns null when help was asked for. @throws {UsageError} */
export function parseDevClusterOptions(args: readonly string[]): DevClusterOptions | null {
  const values = parseStrictly(args);
  if (values.help === true) return null;
  return {
    agents: wholeNumber('--agents', values.agents ?? '4', 2, 13),
    rounds: wholeNumber('--rounds', values.rounds ?? '4', 1, 100),
    orchestrators: wholeNumber('--orchestrators', values.orchestrators ?? '2', 1, 8),
    aggregators: wholeNumber('--aggregators', values.aggregators ?? '2', 1, 8),
    seed: wholeNumber('--seed', values.seed ?? '1', 0, SEED_MAX),
    output: values.json === true ? 'json' : 'view',
  };
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        agents: text,
        rounds: text,
        orchestrators: text,
        aggregators: text,
        seed: text,
        json: flag,
        help: flag,
      },
    }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; flexlora dev-cluster --help tells the options`);
  }
}
