import { parseArgs } from 'node:util';
import { COHORT_AGENTS_MAX, RUN_AGENTS_MAX, RUN_ROUNDS_MAX, SEED_MAX } from '@flexlora/core';
import { UsageError, wholeNumber } from '../start/options.ts';
import { AGENTS_PER_DRIVER, DRIVERS_MAX, OVER_SELECTION, UPDATE_BYTES_MAX, UPDATE_BYTES_MIN } from './limits.ts';

/** What `flexlora simulate` was asked for. */
export interface SimulateOptions {
  readonly agents: number;
  readonly cohort: number;
  readonly rounds: number;
  readonly seed: number;
  readonly orchestrators: number;
  readonly aggregators: number;
  /** Bytes of an update at the middle one of the run's ranks. */
  readonly updateBytes: number;
  /** Seconds of the traces in a second of the clock. */
  readonly speed: number;
  /** Threads that the agents share. */
  readonly drivers: number;
  /** A platform that is there already; null starts one. */
  readonly server: string | null;
  readonly output: 'view' | 'json';
}

export const SIMULATE_HELP = `usage: flexlora simulate [options]

Sizes a cluster: runs virtual agents with unequal hardware, links and habits over real gRPC through the real services, and reports how
the platform did. The traces follow from the seed; what they train is noise.

  --agents N         registered and waiting, 2 to ${RUN_AGENTS_MAX}           (10000)
  --cohort N         agents of a round, 2 to ${COHORT_AGENTS_MAX}; a round closes when 1 in ${OVER_SELECTION} of them have answered (2000)
  --rounds N         1 to ${RUN_ROUNDS_MAX}                                  (3)
  --seed N           0 to ${SEED_MAX}                             (1)
  --update-bytes N   bytes of an update at rank 16, ${UPDATE_BYTES_MIN} to ${UPDATE_BYTES_MAX} (262144)
  --speed N          seconds of the traces in a second, 1 to 3600        (5)
  --drivers N        threads that the agents share, 1 to ${DRIVERS_MAX}              (one for ${AGENTS_PER_DRIVER} agents)
  --orchestrators N  processes to start, 1 to 8                         (2)
  --aggregators N    processes to start, 1 to 8                         (2)
  --server host:port use the platform that is there instead; its updates are checked where S3_BUCKET and what belongs to it are set
  --json             one JSON document on the last line of standard output; the view goes to standard error
  --help             this text

Stores: REDIS_URL, S3_ENDPOINT, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, S3_BUCKET (flexlora), S3_REGION (us-east-1); where neither REDIS_URL
nor S3_ENDPOINT is set, redis-server and minio are started from PATH with data of their own, and removed at the end.
Exit codes: 0 every update that was acknowledged is in its round once, 1 not so or not completed, 2 wrong usage.
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean' } as const;
const OPTIONS = {
  agents: text,
  cohort: text,
  rounds: text,
  seed: text,
  'update-bytes': text,
  speed: text,
  drivers: text,
  orchestrators: text,
  aggregators: text,
  server: text,
  json: flag,
  help: flag,
} as const;

/** @returns null when help was asked for. @throws {UsageError} */
export function parseSimulateOptions(args: readonly string[]): SimulateOptions | null {
  const values = parseStrictly(args);
  if (values.help === true) return null;
  const agents = wholeNumber('--agents', values.agents ?? '10000', 2, RUN_AGENTS_MAX);
  const cohort = wholeNumber('--cohort', values.cohort ?? '2000', 2, COHORT_AGENTS_MAX);
  if (cohort > agents)
    throw new UsageError(`--cohort is ${cohort} with --agents ${agents}; allowed: a cohort of at most all agents`);
  for (const name of ['orchestrators', 'aggregators'] as const)
    if (values.server !== undefined && values[name] !== undefined)
      throw new UsageError(`--${name} is ${values[name]} with --server; allowed: one of them, as nothing is started`);
  const drivers = values.drivers ?? `${Math.min(DRIVERS_MAX, Math.ceil(agents / AGENTS_PER_DRIVER))}`;
  return {
    agents,
    cohort,
    rounds: wholeNumber('--rounds', values.rounds ?? '3', 1, RUN_ROUNDS_MAX),
    seed: wholeNumber('--seed', values.seed ?? '1', 0, SEED_MAX),
    updateBytes: wholeNumber('--update-bytes', values['update-bytes'] ?? '262144', UPDATE_BYTES_MIN, UPDATE_BYTES_MAX),
    speed: wholeNumber('--speed', values.speed ?? '5', 1, 3_600),
    drivers: wholeNumber('--drivers', drivers, 1, Math.min(agents, DRIVERS_MAX)),
    orchestrators: wholeNumber('--orchestrators', values.orchestrators ?? '2', 1, 8),
    aggregators: wholeNumber('--aggregators', values.aggregators ?? '2', 1, 8),
    server: values.server ?? null,
    output: values.json === true ? 'json' : 'view',
  };
}

function parseStrictly(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; flexlora simulate --help tells the options`);
  }
}
