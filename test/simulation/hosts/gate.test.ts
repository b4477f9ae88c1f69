import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createVirtualClock } from '../clock/virtual-clock.ts';
import { createConductor } from '../faults/conductor.ts';
import { drawPlan } from '../faults/draw-plan.ts';
import type { CallFault } from '../faults/fault-plan.ts';
import { createGate } from './gate.ts';
import { createHost } from './host.ts';

/** One call of a process, with this fault: what the store did and what the caller heard, in order. */
async function callWith(fault: CallFault | null): Promise<readonly string[]> {
  const clock = createVirtualClock(() => 0.5);
  const host = createHost('a', clock, 0);
  const happened: string[] = [];
  const faults = fault === null ? [] : [{ kind: 'passing', host: 'a', point: 'store.put', nth: 1, fault } as const];
  const conductor = createConductor(
    { ...drawPlan(1), faults },
    { schedule: () => {}, strike: () => {}, callStruck: () => {}, trace: () => {} },
  );
  const crash = (): void => {
    happened.push('killed');
    host.crash();
  };
  const pause = (_: string, ms: number): void => {
    happened.push('stopped');
    host.pause();
    clock.schedule(clock.nowMs() + ms, () => {
      happened.push('goes on');
      host.resume();
    });
  };
  const life = host.begin();
  const gate = createGate({ clock, conductor, crash, pause, spins: () => {} }, host, life);
  gate
    .pass('store.put', {
      latencyMs: () => 10,
      perform: async () => void happened.push('performed'),
      fault: (why) => new Error(why),
    })
    .then(
      () => happened.push('answered'),
      () => happened.push('fault'),
    );
  for (let steps = 0; steps < 100; steps += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.nextAtMs() === null) break;
    clock.advance();
  }
  return happened;
}

const cases: readonly (readonly [string, CallFault | null, readonly string[]])[] = [
  ['is performed and answered', null, ['performed', 'answered']],
  ['is not made by a process that dies before', { kind: 'crashHere', side: 'before', downMs: 1 }, ['killed']],
  ['is performed though its sender dies', { kind: 'crashHere', side: 'sent', downMs: 1 }, ['killed', 'performed']],
  [
    'is not heard by a process that dies with it',
    { kind: 'crashHere', side: 'after', downMs: 1 },
    ['performed', 'killed'],
  ],
  [
    'waits with its process',
    { kind: 'pauseHere', side: 'before', ms: 50 },
    ['stopped', 'goes on', 'performed', 'answered'],
  ],
  [
    'is performed while its process is stopped',
    { kind: 'pauseHere', side: 'sent', ms: 50 },
    ['stopped', 'performed', 'goes on', 'answered'],
  ],
  ['is a fault when it was lost on its way', { kind: 'lostRequest' }, ['fault']],
  ['is a fault when its answer was lost', { kind: 'lostReply' }, ['performed', 'fault']],
  ['may come twice', { kind: 'repeatedCall', afterMs: 50 }, ['performed', 'answered', 'performed']],
];

for (const [name, fault, wanted] of cases) {
  test(`a call ${name}`, async () => assert.deepEqual(await callWith(fault), wanted));
}

test('a process that makes calls without end while no time passes is found', async () => {
  const clock = createVirtualClock(() => 0.5);
  const host = createHost('a', clock, 0);
  const plan = { ...drawPlan(1), faults: [] };
  const conductor = createConductor(plan, {
    schedule: () => {},
    strike: () => {},
    callStruck: () => {},
    trace: () => {},
  });
  let spins: readonly string[] = [];
  const found = (_: string, points: readonly string[]): void => {
    spins = points;
  };
  const gate = createGate({ clock, conductor, crash: () => {}, pause: () => {}, spins: found }, host, host.begin());
  const outside = { latencyMs: () => 0, perform: async () => {}, fault: (why: string) => new Error(why) };
  const loop = async (): Promise<void> => {
    while (spins.length === 0) await gate.pass('store.get', outside);
  };
  void loop();
  while (spins.length === 0) {
    await new Promise((resolve) => setImmediate(resolve));
    if (spins.length === 0) clock.advance();
  }
  assert.ok(spins.every((point) => point === 'store.get'));
});
