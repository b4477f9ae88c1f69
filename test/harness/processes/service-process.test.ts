import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pidIn } from './process-group.ts';
import { createServiceProcess, type LogLine, parseLogLine } from './service-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'flexlora-processes-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

// Logs that it is there, starts a process in a group of its own, and says where its pid is.
const service = join(scratch, 'service.mjs');
writeFileSync(
  service,
  `import { spawn } from 'node:child_process';
   import { writeFileSync } from 'node:fs';
   const log = (msg) => console.error(JSON.stringify({ time: new Date().toISOString(), msg, number: 7 }));
   const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000) // companion'], { detached: true });
   writeFileSync(process.env.PID_FILE, String(child.pid));
   process.on('SIGTERM', () => { log('asked to end'); process.exit(0); });
   if (process.env.END === 'itself') process.exit(3);
   log('there');
   setInterval(() => {}, 1000);`,
);

function create(name: string, env: Readonly<Record<string, string>> = {}) {
  const lines: LogLine[] = [];
  const ends: string[] = [];
  let heard = (): void => {};
  const pidFile = join(scratch, `${name}.pid`);
  const companions = () => pidIn(pidFile, 'companion');
  const process = createServiceProcess({
    name,
    main: service,
    env: { PID_FILE: pidFile, ...env },
    logFile: join(scratch, `${name}.log`),
    companions,
    onLine: (line) => {
      lines.push(line);
      heard();
    },
    onEndedItself: (end) => {
      ends.push(end);
      heard();
    },
  });
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      heard = () => {
        if (isSo()) resolve();
      };
      heard();
    });
  return { process, lines, ends, companions, until };
}

test('a killed service is gone with what it started, and starts again under its name', async () => {
  const { process, lines, ends, companions, until } = create('killed');
  await process.start();
  await until(() => lines.length === 1);
  assert.equal(lines[0]?.['number'], 7);
  const [first, [companion]] = [process.pid(), companions()];
  assert.ok(companion !== undefined);
  await process.kill();
  assert.equal(process.pid(), null);
  assert.deepEqual(companions(), []);
  await process.start();
  await until(() => lines.length === 2);
  assert.notEqual(process.pid(), first);
  await process.stop();
  assert.deepEqual(companions(), []);
  assert.deepEqual(ends, [], 'it was asked to end each time');
  assert.equal(readFileSync(join(scratch, 'killed.log'), 'utf8').trimEnd().split('\n').length, 3);
});

test('a service that ends by itself is told', async () => {
  const { process, ends, companions, until } = create('itself', { END: 'itself' });
  await process.start();
  await until(() => ends.length === 1);
  assert.deepEqual(ends, ['exit code 3']);
  assert.equal(process.pid(), null);
  await process.kill();
  assert.deepEqual(companions(), []);
});

test('a line of a log has its fields and its time; other text is none', () => {
  const line = parseLogLine('{"level":"info","time":"2025-01-01T00:00:01.000Z","epoch":3,"msg":"took the lease"}');
  assert.deepEqual([line?.msg, line?.['epoch'], line?.atMs], ['took the lease', 3, Date.UTC(2025, 0, 1, 0, 0, 1)]);
  for (const text of ['', 'started', '{"msg":"no time"}', '{"time":"2025-01-01T00:00:01Z"}', '{broken', '[1]'])
    assert.equal(parseLogLine(text), null, text);
});
