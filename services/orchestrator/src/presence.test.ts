import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentId, RoundEvent, RunId } from '@flexlora/core';
import { PRESENCE_AGENTS_MAX } from './limits.ts';
import type { EventDoor } from './offer-event.ts';
import { createPresence } from './presence.ts';

const RUN = 'run' as RunId;
const agentOf = (n: number): AgentId => `agent-${n}` as AgentId;

function start(tell: (event: RoundEvent) => Promise<null>) {
  const sleepers: (() => void)[] = [];
  let ids = 0;
  const randomId = (): string => {
    ids += 1;
    return String(ids);
  };
  const clock = {
    nowMs: () => 7,
    sleep: (_ms: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        sleepers.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason));
      }),
  };
  const door = { tell: (_runId: RunId, _id: string, event: RoundEvent) => tell(event) } as unknown as EventDoor;
  const presence = createPresence({ door, clock, randomId });
  const pass = (): void => {
    for (const wake of sleepers.splice(0)) wake();
  };
  return { presence, pass };
}

test('agents that come shortly after each other are one event, each of them once', async () => {
  const events: RoundEvent[] = [];
  const { presence, pass } = start(async (event) => {
    events.push(event);
    return null;
  });
  const noted = [1, 2, 2, 3].map((n) => presence.note(RUN, agentOf(n)));
  assert.deepEqual(events, []);
  pass();
  assert.deepEqual(await Promise.all(noted), [7, 7, 7, 7]);
  assert.deepEqual(events, [{ kind: 'agentsReady', atMs: 7, agentIds: [1, 2, 3].map(agentOf) }]);
  const later = presence.note(RUN, agentOf(1));
  pass();
  await later;
  assert.equal(events.length, 2);
});

test('an event that is full is told at once, and the next agent begins another', async () => {
  const events: RoundEvent[] = [];
  const { presence, pass } = start(async (event) => {
    events.push(event);
    return null;
  });
  const noted = Array.from({ length: PRESENCE_AGENTS_MAX + 1 }, (_, n) => presence.note(RUN, agentOf(n)));
  await Promise.all(noted.slice(0, PRESENCE_AGENTS_MAX));
  assert.equal(events.length, 1);
  pass();
  await Promise.all(noted);
  assert.equal(events.length, 2);
});

test('agents hear that their presence could not be told', async () => {
  const { presence, pass } = start(() => Promise.reject(new Error('the inbox is full')));
  const noted = [presence.note(RUN, agentOf(1)), presence.note(RUN, agentOf(2))];
  pass();
  const told = await Promise.allSettled(noted);
  assert.deepEqual(
    told.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
});
