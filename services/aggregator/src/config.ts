import {
  absentAsNull,
  type ConfigOf,
  type Environment,
  orchestratorRules,
  orchestratorSettings,
  processSettings,
  readConfig,
  s3Rules,
  s3Settings,
  setting,
} from '@flexlora/runtime';
import { z } from 'zod';
import { PARALLEL_TASKS_MAX } from './limits.ts';

/** Everything that an aggregator process reads from its environment. */
export const settings = {
  aggregatorId: setting({
    env: 'FLEXLORA_AGGREGATOR_ID',
    schema: absentAsNull(z.string().regex(/^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/)),
    allowed: '1 to 63 of a-z, 0-9, ".", "_", "-", beginning and ending with a letter or digit',
    example: 'aggregator-0',
    about: 'Names this process in leases: unique to it. Without it, the host name and a random end.',
  }),
  parallelTasks: setting({
    env: 'FLEXLORA_PARALLEL_TASKS',
    schema: z.coerce.number().int().min(1).max(PARALLEL_TASKS_MAX).default(2),
    allowed: `1 to ${PARALLEL_TASKS_MAX}`,
    example: '2',
    about: 'Tasks at a time: one pulls while another sums. Each holds one module of all updates and its own result.',
  }),
  ...orchestratorSettings,
  ...s3Settings,
  ...processSettings,
};

export type AggregatorConfig = ConfigOf<typeof settings>;

/** @throws {ConfigError} with every problem, those between settings included. */
export const readAggregatorConfig = (env: Environment): AggregatorConfig =>
  readConfig(settings, env, [...orchestratorRules, ...s3Rules]);

/** An id from a host's name, which may have characters that ids do not have, and an end that no other process of the host has. */
export function aggregatorIdOf(hostname: string, end: string): string {
  const cut = hostname
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63 - end.length - 1);
  const host = cut.replace(/^-+|-+$/g, '') || 'aggregator';
  return `${host}-${end}`;
}
