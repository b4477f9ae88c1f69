import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLifecycle } from './lifecycle.ts';
import { type Logger, silentLogger } from './logger.ts';

const LONG_MS = 3_600_000;

function createRecordingLogger(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = [];
  const record =
    (level: string) =>
    (fields: Readonly<Record<string, unknown>>, message: string): void => {
      lines.push(`${level} ${String(fields['step'] ?? '-')} ${message}`);
    };
  const logger: Logger = { ...silentLogger, warn: record('warn'), error: record('error'), child: () => logger };
  return { logger, lines };
}

test('what was registered last is stopped first, and one after the other', async () => {
  const lifecycle = createLifecycle(silentLogger);
  const done: string[] = [];
  lifecycle.onStop('store', LONG_MS, () => void done.push('store'));
  lifecycle.onStop('server', LONG_MS, async () => {
    await new Promise(setImmediate);
    done.push('server');
  });
  await lifecycle.stop('test');
  assert.deepEqual(done, ['server', 'store']);
});

test('the signal is aborted with the reason before the first step', async () => {
  const lifecycle = createLifecycle(silentLogger);
  let reason: unknown;
  lifecycle.onStop('server', LONG_MS, () => {
    reason = lifecycle.signal.reason;
  });
  assert.equal(lifecycle.signal.aborted, false);
  await lifecycle.stop('SIGTERM');
  assert.equal((reason as Error).message, 'stopping: SIGTERM');
});

test('stopping twice is stopping once: both wait for the same end', async () => {
  const lifecycle = createLifecycle(silentLogger);
  let times = 0;
  lifecycle.onStop('server', LONG_MS, async () => {
    await new Promise(setImmediate);
    times += 1;
  });
  await Promise.all([lifecycle.stop('first'), lifecycle.stop('second')]);
  await lifecycle.stop('third');
  assert.equal(times, 1);
});

test('a step that takes too long is left behind, with a warning', async () => {
  const { logger, lines } = createRecordingLogger();
  const lifecycle = createLifecycle(logger);
  const done: string[] = [];
  lifecycle.onStop('store', LONG_MS, () => void done.push('store'));
  lifecycle.onStop('server', 1, () => new Promise<void>(() => {}));
  await lifecycle.stop('test');
  assert.deepEqual(done, ['store']);
  assert.deepEqual(lines, ['warn server a step of stopping took too long and was left behind']);
});

test('a step that fails, at once or later, does not keep the others from stopping', async () => {
  const { logger, lines } = createRecordingLogger();
  const lifecycle = createLifecycle(logger);
  const done: string[] = [];
  lifecycle.onStop('store', LONG_MS, () => void done.push('store'));
  lifecycle.onStop('rejects', LONG_MS, async () => {
    throw new Error('later');
  });
  lifecycle.onStop('throws', LONG_MS, () => {
    throw new Error('at once');
  });
  await lifecycle.stop('test');
  assert.deepEqual(done, ['store']);
  assert.deepEqual(lines, ['error throws a step of stopping failed', 'error rejects a step of stopping failed']);
});
