import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { test } from 'node:test';
import { ConfigError, type Environment, readConfig } from './config.ts';
import { processSettings } from './process-settings.ts';
import { type HostProcess, type ProcessTools, runProcess } from './run-process.ts';

const STEP_MS = 3_600_000;
const read = (env: Environment) => readConfig(processSettings, env);

/** A process without an operating system: signals are events, and its exits are kept. */
function createHost(env: Environment = {}) {
  const events = new EventEmitter();
  const exits: number[] = [];
  const errors: string[] = [];
  const host: HostProcess = {
    env: { FLEXLORA_LOG_LEVEL: 'silent', ...env },
    stderr: { write: (text) => errors.push(text) },
    on: (signal, listener) => events.on(signal, listener),
    exit: (code) => {
      exits.push(code);
      events.emit('exit');
    },
  };
  return { host, events, exits, errors, exited: once(events, 'exit') };
}

test('a wrong configuration is told on standard error, starts nothing, and exits with 78', async () => {
  const { host, exits, errors } = createHost({ FLEXLORA_STATUS_PORT: 'x' });
  await runProcess(host, { service: 'test', readConfig: read, start: () => assert.fail('started') });
  assert.deepEqual(exits, [78]);
  assert.match(errors.join(''), /^the configuration has 1 problem:\n {2}- FLEXLORA_STATUS_PORT is "x"; .*\n$/);
});

test('a start that fails undoes what it registered, and exits with 1', async () => {
  const { host, exits, errors } = createHost();
  const done: string[] = [];
  const start = async (_: unknown, { lifecycle }: ProcessTools): Promise<void> => {
    lifecycle.onStop('store', STEP_MS, () => void done.push(`store, before ${exits.length} exits`));
    throw new Error('no answer');
  };
  await runProcess(host, { service: 'test', readConfig: read, start });
  assert.deepEqual([done, exits, errors], [['store, before 0 exits'], [1], []]);
});

test('a configuration that shows itself wrong in the start exits with 78, in plain words', async () => {
  const { host, exits, errors } = createHost();
  const start = async (): Promise<void> => {
    throw new ConfigError(['A_FILE is "/x": it is not there']);
  };
  await runProcess(host, { service: 'test', readConfig: read, start });
  assert.deepEqual(
    [exits, errors],
    [[78], ['the configuration has 1 problem:\n  - A_FILE is "/x": it is not there\n']],
  );
});

test('a signal stops what was started and exits with 0', async () => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const { host, events, exits, exited } = createHost();
    const done: string[] = [];
    const start = async (_: unknown, { lifecycle }: ProcessTools): Promise<void> =>
      lifecycle.onStop('store', STEP_MS, () => void done.push('store'));
    await runProcess(host, { service: 'test', readConfig: read, start });
    assert.deepEqual(exits, []);
    events.emit(signal);
    await exited;
    assert.deepEqual([done, exits], [['store'], [0]]);
  }
});

test('a signal in the midst of the start breaks it off: the process exits with 0, not as a failure', async () => {
  const { host, events, exits, exited } = createHost();
  const start = (_: unknown, { lifecycle: { signal } }: ProcessTools): Promise<void> =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const running = runProcess(host, { service: 'test', readConfig: read, start });
  events.emit('SIGTERM');
  await Promise.all([running, exited]);
  assert.deepEqual(exits, [0]);
});

test('the same signal a second time ends a process whose stop hangs; another signal lets it drain', async () => {
  const { host, events, exits } = createHost();
  const held: (() => void)[] = [];
  const start = async (_: unknown, { lifecycle }: ProcessTools): Promise<void> =>
    lifecycle.onStop('hangs', STEP_MS, () => new Promise((resolve) => held.push(resolve)));
  await runProcess(host, { service: 'test', readConfig: read, start });
  events.emit('SIGINT');
  events.emit('SIGTERM');
  assert.deepEqual(exits, []);
  events.emit('SIGINT');
  assert.deepEqual(exits, [130]);
  for (const release of held) release();
});
