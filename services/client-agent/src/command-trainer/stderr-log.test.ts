import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, silentLogger } from '@flexlora/runtime';
import { STDERR_LINE_BYTES_MAX, STDERR_LINES_PER_WINDOW_MAX, STDERR_WINDOW_MS } from './limits.ts';
import { createStderrLog } from './stderr-log.ts';

test('standard error reaches the log no faster than allowed, and what was left out is counted', () => {
  let nowMs = 0;
  const lines: unknown[] = [];
  const dropped: unknown[] = [];
  const logger: Logger = {
    ...silentLogger,
    info: ({ line }) => void lines.push(line),
    warn: (fields) => void dropped.push(fields),
  };
  const log = createStderrLog({ clock: { nowMs: () => nowMs, sleep: async () => {} }, logger });
  for (let step = 0; step < STDERR_LINES_PER_WINDOW_MAX + 7; step += 1) log.push(Buffer.from(`step ${step}\n`));
  assert.equal(lines.length, STDERR_LINES_PER_WINDOW_MAX);
  assert.deepEqual(dropped, []);
  nowMs += STDERR_WINDOW_MS;
  log.push(Buffer.from('\nlater\n'));
  assert.deepEqual(dropped, [{ dropped: 7 }]);
  assert.equal(lines.at(-1), 'later');
  assert.equal(log.lastLines(), 'step 205 | step 206 | later');
});

test('a line that is too long is left out, and the log goes on', () => {
  const lines: unknown[] = [];
  const logger: Logger = { ...silentLogger, info: ({ line }) => void lines.push(line) };
  const log = createStderrLog({ clock: { nowMs: () => 0, sleep: async () => {} }, logger });
  log.push(Buffer.from('x'.repeat(STDERR_LINE_BYTES_MAX + 1)));
  log.push(Buffer.from('after\n'));
  assert.deepEqual(lines, [`(a line of more than ${STDERR_LINE_BYTES_MAX} bytes is left out)`, 'after']);
});
