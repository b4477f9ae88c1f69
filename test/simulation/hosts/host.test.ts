import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createVirtualClock } from '../clock/virtual-clock.ts';
import { createHost } from './host.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function scene(skewMs = 0) {
  const clock = createVirtualClock(() => 0.5);
  const host = createHost('a', clock, skewMs);
  const heard: string[] = [];
  const pass = async (ms: number): Promise<void> => {
    clock.schedule(clock.nowMs() + ms, () => {});
    const untilMs = clock.nowMs() + ms;
    while ((clock.nextAtMs() ?? Number.POSITIVE_INFINITY) <= untilMs) {
      clock.advance();
      await turn();
    }
  };
  return { clock, host, heard, pass };
}

test('a dead process hears nothing more, whatever it waited for', async () => {
  const { host, heard, pass, clock } = scene();
  const life = host.begin();
  void life.clock.sleep(10).then(() => heard.push('slept'));
  void life.hear(clock.sleep(10)).then(() => heard.push('answered'));
  life.onEnd(() => heard.push('over'));
  host.crash();
  await pass(20);
  assert.deepEqual([heard, life.isOver, host.life], [['over'], true, null]);
});

test('a stopped process hears everything when it goes on, in order', async () => {
  const { host, heard, pass } = scene();
  const life = host.begin();
  for (const ms of [10, 20]) void life.clock.sleep(ms).then(() => heard.push(`${ms}`));
  host.pause();
  await pass(50);
  assert.deepEqual(heard, []);
  host.resume();
  await turn();
  assert.deepEqual(heard, ['10', '20']);
});

test('a process that is killed while it is stopped does not go on', async () => {
  const { host, heard, pass } = scene();
  void host
    .begin()
    .clock.sleep(10)
    .then(() => heard.push('first'));
  host.pause();
  await pass(20);
  host.crash();
  const next = host.begin();
  host.resume();
  await pass(10);
  assert.deepEqual([heard, next.number], [[], 2]);
});

test('a clock that is ahead sleeps as long as any other', async () => {
  const { host, heard, pass, clock } = scene(400);
  const life = host.begin();
  assert.equal(life.clock.nowMs(), clock.nowMs() + 400);
  void life.clock.sleep(10).then(() => heard.push('slept'));
  await pass(9);
  assert.deepEqual(heard, []);
  await pass(1);
  assert.deepEqual(heard, ['slept']);
});
