import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { ConfigError, describeSettings, needs, readConfig, setting, together } from './config.ts';

const SETTINGS = {
  port: setting({
    env: 'APP_PORT',
    schema: z.coerce.number().int().min(1).max(65_535).default(8080),
    allowed: '1 to 65535',
    example: '8080',
    about: 'Where it listens.',
  }),
  target: setting({
    env: 'APP_TARGET',
    schema: z.string(),
    allowed: 'host:port',
    example: 'orchestrator:50051',
    about: 'Whom it asks.',
  }),
  password: setting({
    env: 'APP_PASSWORD',
    schema: z.string().min(8).nullable().default(null),
    allowed: 'at least 8 characters',
    example: '(from a secret)',
    about: 'What opens the door.',
    secret: true,
  }),
};

test('settings are read from the environment under their keys, with defaults for what is absent', () => {
  assert.deepEqual(readConfig(SETTINGS, { APP_TARGET: 'a:1', APP_PORT: '9', OTHER: 'x' }), {
    port: 9,
    target: 'a:1',
    password: null,
  });
});

test('an empty text counts as absent', () => {
  assert.equal(readConfig(SETTINGS, { APP_TARGET: 'a:1', APP_PORT: '' }).port, 8080);
  assert.throws(() => readConfig(SETTINGS, { APP_TARGET: '' }), /APP_TARGET is not set/);
});

test('every problem is reported at once: what was got, what is allowed, an example', () => {
  const read = (): unknown => readConfig(SETTINGS, { APP_PORT: '70000' });
  assert.throws(read, (error) => {
    assert.ok(error instanceof ConfigError);
    assert.deepEqual(error.problems, [
      'APP_PORT is "70000"; allowed: 1 to 65535; for example APP_PORT=8080',
      'APP_TARGET is not set; allowed: host:port; for example APP_TARGET=orchestrator:50051',
    ]);
    assert.match(error.message, /^the configuration has 2 problems:\n {2}- APP_PORT.*\n {2}- APP_TARGET/);
    return true;
  });
});

test('a secret is never part of a message', () => {
  const read = (): unknown => readConfig(SETTINGS, { APP_TARGET: 'a:1', APP_PASSWORD: 'hunter2' });
  assert.throws(read, (error) => {
    assert.ok(error instanceof ConfigError);
    assert.doesNotMatch(error.message, /hunter2/);
    assert.match(error.message, /the configuration has 1 problem:\n {2}- APP_PASSWORD is a text of 7 characters/);
    return true;
  });
});

test('rules between settings are held together with the settings, and an empty text counts as absent', () => {
  const { port, target, password } = SETTINGS;
  const problemsOf = (env: Readonly<Record<string, string>>): readonly string[] => {
    try {
      readConfig(SETTINGS, env, [together(port, password), needs(password, target, 'a:1')]);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.problems;
    }
    return [];
  };
  assert.deepEqual(problemsOf({ APP_TARGET: 'b:2', APP_PORT: '', APP_PASSWORD: '' }), []);
  assert.deepEqual(problemsOf({ APP_TARGET: 'a:1', APP_PORT: '1', APP_PASSWORD: 'long enough' }), []);
  assert.deepEqual(problemsOf({ APP_PASSWORD: 'long enough' }), [
    'APP_TARGET is not set; allowed: host:port; for example APP_TARGET=orchestrator:50051',
    'APP_PORT is not set, but APP_PASSWORD is; allowed: both or neither',
    'APP_TARGET is not a:1, but APP_PASSWORD is set; allowed: APP_TARGET=a:1 with it, or no APP_PASSWORD',
  ]);
});

test('the settings describe themselves, with their defaults', () => {
  const labels = setting({
    env: 'APP_LABELS',
    schema: z.record(z.string(), z.string()).default({}),
    allowed: 'a JSON object',
    example: '{"a":"b"}',
    about: 'What is written on it.',
  });
  assert.deepEqual(
    describeSettings({ ...SETTINGS, labels }).map(({ env, standard }) => [env, standard]),
    [
      ['APP_PORT', '8080'],
      ['APP_TARGET', 'required'],
      ['APP_PASSWORD', 'none'],
      ['APP_LABELS', '{}'],
    ],
  );
});
