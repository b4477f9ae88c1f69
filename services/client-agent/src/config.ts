import { isRefusal, PROFILE_BYTES_MAX, parseAgentId, parseRunId, UPDATE_SAMPLES_MAX } from '@flexlora/core';
import {
  absentAsNull,
  type ConfigOf,
  type Environment,
  GRPC_TARGET_ALLOWED,
  grpcTarget,
  nonEmptyText,
  orchestratorRules,
  orchestratorSettings,
  portNumber,
  processSettings,
  readConfig,
  setting,
} from '@flexlora/runtime';
import { z } from 'zod';

const FACTOR_MAX = 1_000;
const ID_RULE = '1 to 63 of a-z, 0-9, ".", "_", "-", beginning and ending with a letter or digit';

/** A JSON list of strings where an argument holds a space, else words. */
const commandLine = z.string().transform((text, context): readonly [string, ...string[]] => {
  const [command, ...args] = text.startsWith('[') ? wordsOfJson(text) : text.split(/\s+/).filter((word) => word !== '');
  if (command !== undefined) return [command, ...args];
  context.addIssue('no command');
  return z.NEVER;
});

function wordsOfJson(text: string): readonly string[] {
  const words = z.array(z.string()).safeParse(parseJson(text));
  return words.success ? words.data : [];
}

const jsonObject = z.string().transform((text, context): Readonly<Record<string, unknown>> => {
  const value = z.record(z.string(), z.unknown()).safeParse(parseJson(text));
  if (value.success) return value.data;
  context.addIssue('no JSON object');
  return z.NEVER;
});

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Everything that a client agent process reads from its environment. */
export const settings = {
  agentId: setting({
    env: 'FLEXLORA_AGENT_ID',
    schema: z.string().refine((text) => !isRefusal(parseAgentId(text))),
    allowed: ID_RULE,
    example: 'hospital-north',
    about: 'Who this is: stable over restarts, unique in the run.',
  }),
  runId: setting({
    env: 'FLEXLORA_RUN_ID',
    schema: z.string().refine((text) => !isRefusal(parseRunId(text))),
    allowed: ID_RULE,
    example: 'notes-2025',
    about: 'The run to take part in.',
  }),
  ...orchestratorSettings,
  transfer: setting({
    env: 'FLEXLORA_TRANSFER',
    schema: absentAsNull(grpcTarget),
    allowed: GRPC_TARGET_ALLOWED,
    example: 'dns:///transfer:7443',
    about: 'Where bytes go; the orchestrator when it is not set.',
  }),
  trainerCommand: setting({
    env: 'FLEXLORA_TRAINER_COMMAND',
    schema: commandLine,
    allowed: 'a command and its arguments, divided by spaces, or a JSON list of strings',
    example: 'flexlora-trainer --model /models/base',
    about: 'The trainer, which speaks the trainer protocol.',
  }),
  trainerData: setting({
    env: 'FLEXLORA_TRAINER_DATA',
    schema: jsonObject.default({}),
    allowed: 'a JSON object',
    example: '{"path":"/data/train.jsonl"}',
    about: 'What the trainer trains on; passed to it as it is, and to nobody else.',
  }),
  trainerSamples: setting({
    env: 'FLEXLORA_TRAINER_SAMPLES',
    schema: z.coerce.number().int().min(1).max(UPDATE_SAMPLES_MAX).default(1),
    allowed: `1 to ${UPDATE_SAMPLES_MAX}`,
    example: '20000',
    about: 'Training samples, until the first training tells how many there are.',
  }),
  workDirectory: setting({
    env: 'FLEXLORA_WORK_DIRECTORY',
    schema: nonEmptyText,
    allowed: 'a directory that this process may write to, which survives a restart',
    example: '/var/lib/flexlora',
    about: 'Where adapters are cached and finished updates wait until they are accepted.',
  }),
  memoryBytesMax: setting({
    env: 'FLEXLORA_MEMORY_BYTES_MAX',
    schema: z.coerce.number().int().min(1).max(PROFILE_BYTES_MAX),
    allowed: `1 to ${PROFILE_BYTES_MAX}`,
    example: '25769803776',
    about: 'Memory that training may use: of the device that it runs on.',
  }),
  uplinkBytesPerSecond: setting({
    env: 'FLEXLORA_UPLINK_BYTES_PER_SECOND',
    schema: z.coerce.number().min(1).max(PROFILE_BYTES_MAX).default(1_250_000),
    allowed: `1 to ${PROFILE_BYTES_MAX}`,
    example: '12500000',
    about: 'How fast bytes leave; from it and the deadline the rank follows.',
  }),
  stepSecondsFactor: setting({
    env: 'FLEXLORA_STEP_SECONDS_FACTOR',
    schema: z.coerce
      .number()
      .min(1 / FACTOR_MAX)
      .max(FACTOR_MAX)
      .default(1),
    allowed: `${1 / FACTOR_MAX} to ${FACTOR_MAX}`,
    example: '2',
    about: 'Multiplies measured step times: 2 for a device of which others take half.',
  }),
  onStop: setting({
    env: 'FLEXLORA_AGENT_ON_STOP',
    schema: z.enum(['return', 'leave']).default('return'),
    allowed: 'return, leave',
    example: 'leave',
    about:
      'What becomes of an assignment under way when the process is told to stop: return keeps it for when the process is back, leave gives it back at once.',
  }),
  ...processSettings,
  /** Any number of agents run on one machine: they take no port unless one is given. */
  statusPort: setting({
    ...processSettings.statusPort,
    schema: absentAsNull(portNumber),
    about: `${processSettings.statusPort.about} They are not served when it is not set.`,
  }),
};

export type ClientAgentConfig = ConfigOf<typeof settings>;

/** @throws {ConfigError} with every problem, those between settings included. */
export const readClientAgentConfig = (env: Environment): ClientAgentConfig =>
  readConfig(settings, env, orchestratorRules);
