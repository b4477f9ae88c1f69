import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DriverNews, startDrivers } from './drivers.ts';
import { parseSimulateOptions } from './options.ts';

const broken = new URL('./testing/broken-driver.ts', import.meta.url);

/** Three drivers of which the first breaks; what the others told. */
async function breakOne(runId: string, expected: RegExp): Promise<readonly (readonly [number, DriverNews])[]> {
  const options = parseSimulateOptions(['--agents', '6', '--cohort', '2', '--update-bytes', '32768']);
  assert.ok(options !== null);
  const heard: [number, DriverNews][] = [];
  const platform = { target: '127.0.0.1:1', tls: null };
  const drivers = startDrivers(
    { options, runId, platform, drivers: 3 },
    (driver, news) => heard.push([driver, news]),
    broken,
  );
  await assert.rejects(drivers.ended, expected);
  return heard.sort(([a], [b]) => a - b);
}

test('a driver that dies by a bug stops the others, and its error is the fleet’s', async () => {
  const heard = await breakOne('throws', /TypeError: a bug in agent 7/);
  assert.deepEqual(
    heard.map(([driver, news]) => [driver, news.hasEnded]),
    [
      [1, true],
      [2, true],
    ],
  );
});

test('a driver that is gone without a word is told of', async () => {
  await breakOne('exits', /a driver of the fleet ended by itself, with code 3/);
});
