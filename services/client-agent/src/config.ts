import { isRefusal, PROFILE_BYTES_MAX, parseAgentId, parseRunId, UPDATE_SAMPLES_MAX } from '@flexlora/core';
import { type ConfigOf, LOG_LEVELS, readConfig, setting } from '@flexlora/runtime';
import { z } from 'zod';

const FACTOR_MAX = 1_000;
const ID_RULE = '1 to 63 of a-z, 0-9, ".", "_", "-", beginning and ending with a letter or digit';
const TARGET = z.string().regex(/^\S+:\d{1,5}$/);

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

const optionalText = z.string().nullable().default(null);

/** The environment of the client agent. */
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
  orchestrator: setting({
    env: 'FLEXLORA_ORCHESTRATOR',
    schema: TARGET,
    allowed: 'host:port, or dns:///name:port',
    example: 'orchestrator:7070',
    about: 'Where the control services are.',
  }),
  transfer: setting({
    env: 'FLEXLORA_TRANSFER',
    schema: TARGET.nullable().default(null),
    allowed: 'host:port, or dns:///name:port',
    example: 'transfer:7071',
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
    schema: z.string(),
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
  tls: setting({
    env: 'FLEXLORA_TLS',
    schema: z.enum(['on', 'off']).default('off'),
    allowed: 'on, off',
    example: 'on',
    about: 'Whether the orchestrator is reached by TLS.',
  }),
  tlsCaFile: setting({
    env: 'FLEXLORA_TLS_CA_FILE',
    schema: optionalText,
    allowed: 'a PEM file',
    example: '/etc/flexlora/ca.pem',
    about: 'Authorities that the server is checked against; those of Node when it is not set.',
  }),
  tlsCertificateFile: setting({
    env: 'FLEXLORA_TLS_CERTIFICATE_FILE',
    schema: optionalText,
    allowed: 'a PEM file',
    example: '/etc/flexlora/agent.pem',
    about: 'Certificate that this agent shows, with its key.',
  }),
  tlsKeyFile: setting({
    env: 'FLEXLORA_TLS_KEY_FILE',
    schema: optionalText,
    allowed: 'a PEM file',
    example: '/etc/flexlora/agent-key.pem',
    about: 'Key of that certificate.',
  }),
  statusHost: setting({
    env: 'FLEXLORA_STATUS_HOST',
    schema: z.string().default('0.0.0.0'),
    allowed: 'an address of this machine',
    example: '127.0.0.1',
    about: 'Where /livez, /readyz and /metrics listen.',
  }),
  statusPort: setting({
    env: 'FLEXLORA_STATUS_PORT',
    schema: z.coerce.number().int().min(0).max(65_535).nullable().default(null),
    allowed: '0 (a free one) to 65535',
    example: '9090',
    about: 'Port of /livez, /readyz and /metrics; they are not served when it is not set.',
  }),
  logLevel: setting({
    env: 'FLEXLORA_LOG_LEVEL',
    schema: z.enum(LOG_LEVELS).default('info'),
    allowed: LOG_LEVELS.join(', '),
    example: 'info',
    about: 'The least severe lines that are logged.',
  }),
};

export type ClientAgentConfig = ConfigOf<typeof settings>;

/** @throws ConfigError that lists every problem. */
export const readClientAgentConfig = (env: NodeJS.ProcessEnv): ClientAgentConfig => readConfig(settings, env);
