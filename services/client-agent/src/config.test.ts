import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@flexlora/runtime';
import { readClientAgentConfig, settings } from './config.ts';

const REQUIRED = {
  FLEXLORA_AGENT_ID: 'site-a',
  FLEXLORA_RUN_ID: 'r1',
  FLEXLORA_ORCHESTRATOR: 'orchestrator:7070',
  FLEXLORA_TRAINER_COMMAND: 'trainer --model  /models/base',
  FLEXLORA_WORK_DIRECTORY: '/var/lib/flexlora',
  FLEXLORA_MEMORY_BYTES_MAX: '1000',
};

test('what is required is enough, and the rest has defaults', () => {
  const config = readClientAgentConfig(REQUIRED);
  assert.deepEqual(config.trainerCommand, ['trainer', '--model', '/models/base']);
  assert.deepEqual(config.trainerData, {});
  assert.equal(config.transfer, null);
  assert.equal(config.statusPort, null);
  assert.equal(config.tls, 'off');
});

test('a command with spaces in an argument is given as a JSON list', () => {
  const config = readClientAgentConfig({ ...REQUIRED, FLEXLORA_TRAINER_COMMAND: '["/my trainer","--model","a b"]' });
  assert.deepEqual(config.trainerCommand, ['/my trainer', '--model', 'a b']);
});

test('every problem is told at once, by the name of its setting', () => {
  const env = {
    ...REQUIRED,
    FLEXLORA_AGENT_ID: 'Site A',
    FLEXLORA_ORCHESTRATOR: 'orchestrator',
    FLEXLORA_TRAINER_COMMAND: '[1]',
    FLEXLORA_TRAINER_DATA: '[]',
    FLEXLORA_MEMORY_BYTES_MAX: '0',
    FLEXLORA_UPLINK_BYTES_PER_SECOND: '0',
    FLEXLORA_STATUS_PORT: '65536',
    FLEXLORA_STEP_SECONDS_FACTOR: '1001',
  };
  assert.throws(
    () => readClientAgentConfig(env),
    (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(
        error.problems.map((problem) => problem.split(' ')[0]),
        [
          'FLEXLORA_AGENT_ID',
          'FLEXLORA_ORCHESTRATOR',
          'FLEXLORA_TRAINER_COMMAND',
          'FLEXLORA_TRAINER_DATA',
          'FLEXLORA_MEMORY_BYTES_MAX',
          'FLEXLORA_UPLINK_BYTES_PER_SECOND',
          'FLEXLORA_STEP_SECONDS_FACTOR',
          'FLEXLORA_STATUS_PORT',
        ],
      );
      return true;
    },
  );
});

test('a certificate needs its key, and files of TLS need TLS', () => {
  const read = (env: Readonly<Record<string, string>>) => (): unknown => readClientAgentConfig({ ...REQUIRED, ...env });
  assert.throws(
    read({ FLEXLORA_TLS: 'on', FLEXLORA_TLS_CERTIFICATE_FILE: 'c' }),
    /FLEXLORA_TLS_KEY_FILE is not set, but FLEXLORA_TLS_CERTIFICATE_FILE is/,
  );
  assert.throws(read({ FLEXLORA_TLS_CA_FILE: 'ca' }), /FLEXLORA_TLS is not on, but FLEXLORA_TLS_CA_FILE is set/);
});

test('the example of every setting is allowed', () => {
  for (const { env, schema, example } of Object.values(settings)) {
    assert.ok(schema.safeParse(example).success, `${env}=${example}`);
  }
});
