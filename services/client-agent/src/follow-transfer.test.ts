import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentEvent } from './agent-event.ts';
import { followTransfer } from './follow-transfer.ts';
import type { ProgressReport } from './progress-reporter.ts';

test('a transfer is told to listeners and to the server with its bytes, its rate and the time left', () => {
  const events: AgentEvent[] = [];
  const reports: ProgressReport[] = [];
  let nowMs = 0;
  const onProgress = followTransfer(
    { tell: (event) => events.push(event), clock: { nowMs: () => nowMs, sleep: async () => {} } },
    { tell: (report) => reports.push(report), end: () => {} },
    { stage: 'uploading', round: 2, loss: 0.5 },
  );
  onProgress(0, 1_000);
  nowMs += 2_000;
  onProgress(300, 1_000);
  const told = { kind: 'uploading', round: 2, total: 1_000 } as const;
  assert.deepEqual(events, [
    { ...told, bytes: 0, bytesPerSecond: null, secondsLeft: null },
    { ...told, bytes: 300, bytesPerSecond: 150, secondsLeft: 5 },
  ]);
  assert.deepEqual(reports.at(-1), {
    stage: 'uploading',
    fraction: 0.3,
    loss: 0.5,
    transfer: { bytesDone: 300, bytesTotal: 1_000, bytesPerSecond: 150 },
  });
});
