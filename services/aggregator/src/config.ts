import { MEMORY_BYTES } from '@flexlora/kernel';
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
import { KERNEL_MEMORY_BYTES_MIN, KERNEL_THREADS_MAX, PARALLEL_TASKS_MAX } from './limits.ts';

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
    about:
      'Tasks at a time: one pulls while another sums. Each holds two batches of factors, what the kernel holds of one module, and its own result.',
  }),
  kernelThreads: setting({
    env: 'FLEXLORA_KERNEL_THREADS',
    schema: absentAsNull(z.coerce.number().int().min(1).max(KERNEL_THREADS_MAX)),
    allowed: `1 to ${KERNEL_THREADS_MAX}`,
    example: '8',
    about:
      'Threads of the native kernel, shared by all tasks; every core where it is not set. They decide how long a sum takes, never its bytes.',
  }),
  kernelMemoryBytes: setting({
    env: 'FLEXLORA_KERNEL_MEMORY_BYTES',
    schema: z.coerce.number().int().min(KERNEL_MEMORY_BYTES_MIN).max(Number.MAX_SAFE_INTEGER).default(MEMORY_BYTES),
    allowed: `${KERNEL_MEMORY_BYTES_MIN} to ${Number.MAX_SAFE_INTEGER}`,
    example: '2147483648',
    about:
      'Bytes that the native kernel may hold of one module, for each task at a time. It takes part in the choice of the method, so all aggregators of a run must have the same value: then whoever does a task writes the same bytes.',
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
