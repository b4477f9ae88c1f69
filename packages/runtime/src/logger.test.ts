import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type LogLevel } from './logger.ts';

function logLines(
  level: LogLevel,
  write: (logger: ReturnType<typeof createLogger>) => void,
): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  write(createLogger({ service: 'aggregator', level, stream: { write: (line) => void lines.push(JSON.parse(line)) } }));
  return lines;
}

test('a line is one JSON object with service, level in words, time, fields and message', () => {
  const [line] = logLines('info', (logger) => logger.child({ run: 'r1' }).info({ round: 3 }, 'published'));
  assert.ok(line !== undefined);
  assert.match(String(line['time']), /^\d{4}-\d{2}-\d{2}T.*Z$/);
  delete line['time'];
  assert.deepEqual(line, { level: 'info', service: 'aggregator', run: 'r1', round: 3, msg: 'published' });
});

test('an error under err keeps its message and its cause', () => {
  const cause = new Error('connection refused');
  const [line] = logLines('info', (logger) => logger.error({ err: new Error('S3 is away', { cause }) }, 'failed'));
  assert.match(JSON.stringify(line?.['err']), /S3 is away.*connection refused/);
});

test('lines below the level are not written', () => {
  const lines = logLines('warn', (logger) => {
    logger.info({}, 'no');
    logger.warn({}, 'yes');
  });
  assert.deepEqual(
    lines.map((line) => line['msg']),
    ['yes'],
  );
  assert.deepEqual(
    logLines('silent', (logger) => logger.error({}, 'no')),
    [],
  );
});
