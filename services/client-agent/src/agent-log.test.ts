import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Logger, silentLogger } from '@flexlora/runtime';
import type { AgentEvent } from './agent-event.ts';
import { createAgentLog } from './agent-log.ts';
import { TRANSFER_TOLD_MS } from './limits.ts';

test('a transfer that takes long is told now and then; what passes quickly is for debugging', () => {
  const lines: string[] = [];
  const line =
    (level: string): Logger['info'] =>
    (fields, message) =>
      lines.push(`${level} ${message} ${fields['bytes'] ?? ''}`.trim());
  const logger: Logger = { ...silentLogger, debug: line('debug'), info: line('info'), warn: line('warn') };
  let nowMs = 0;
  const tell = createAgentLog(logger, { nowMs: () => nowMs });
  const move = (kind: 'downloading' | 'uploading', bytes: number): AgentEvent => ({
    kind,
    round: 1,
    bytes,
    total: 9,
    bytesPerSecond: 1,
    secondsLeft: 9 - bytes,
  });
  const after = (ms: number, event: AgentEvent): void => {
    nowMs += ms;
    tell(event);
  };
  after(0, move('downloading', 0));
  after(TRANSFER_TOLD_MS - 1, move('downloading', 1));
  after(1, move('downloading', 2));
  after(1, move('downloading', 3));
  after(0, { kind: 'retrying', what: 'download', message: 'away', waitMs: 1 });
  after(TRANSFER_TOLD_MS, move('downloading', 9));
  after(TRANSFER_TOLD_MS, { kind: 'training', round: 1, done: 1, total: 1, loss: null });
  after(TRANSFER_TOLD_MS, move('uploading', 0));
  assert.deepEqual(lines, [
    'debug downloading 0',
    'debug downloading 1',
    'info downloading 2',
    'debug downloading 3',
    'warn retrying',
    'info downloading 9',
    'debug training',
    'debug uploading 0',
  ]);
});
