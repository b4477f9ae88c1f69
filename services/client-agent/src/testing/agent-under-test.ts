import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, silentLogger, systemClock } from '@flexlora/runtime';
import type { AgentEvent } from '../agent-event.ts';
import { type AgentOutcome, type ClientAgentOptions, createClientAgent } from '../client-agent.ts';
import type { AgentDisk } from '../disk/agent-disk.ts';
import type { Trainer } from '../trainer.ts';
import type { FakePlatform } from './fake-platform.ts';

/** Waits are asked for in seconds and taken in milliseconds: whoever waits for a time looks again. */
export const impatientClock: Clock = {
  nowMs: () => systemClock.nowMs(),
  sleep: (ms, signal) => systemClock.sleep(Math.min(ms, 10), signal),
};

/** An agent that runs, and what it told. */
export interface AgentUnderTest {
  readonly events: readonly AgentEvent[];
  readonly ended: Promise<AgentOutcome>;
  stop(): void;
  /** Resolves with the first event, told already or later, that fits; rejects when the agent ends without it. */
  told<Kind extends AgentEvent['kind']>(
    kind: Kind,
    fits?: (event: Extract<AgentEvent, { kind: Kind }>) => boolean,
  ): Promise<void>;
}

export function startAgent(
  platform: FakePlatform,
  trainer: Trainer,
  workDirectory: string,
  options: {
    readonly clock?: Clock;
    readonly disk?: AgentDisk;
    readonly heard?: (event: AgentEvent) => void;
  } & Partial<ClientAgentOptions> = {},
): AgentUnderTest {
  const stop = new AbortController();
  const events: AgentEvent[] = [];
  const waiters: (() => void)[] = [];
  const agent = createClientAgent(
    {
      trainer,
      clock: options.clock ?? impatientClock,
      random: () => 0.5,
      logger: silentLogger,
      ...(options.disk && { disk: options.disk }),
    },
    {
      runId: 'r1',
      agentId: 'site-a',
      control: { target: platform.target(), tls: null },
      workDirectory,
      data: { split: 'a' },
      memoryBytesMax: 1_000_000,
      uplinkBytesPerSecond: 1_000,
      ...options,
      onEvent: (event) => {
        events.push(event);
        options.heard?.(event);
        for (const wake of waiters) wake();
      },
    },
  );
  const ended = agent.run(stop.signal);
  return {
    events,
    ended,
    stop: () => stop.abort(new Error('stopped by the test')),
    told: (kind, fits = () => true) => {
      const isThere = (): boolean =>
        events.some((event) => event.kind === kind && fits(event as Extract<AgentEvent, { kind: typeof kind }>));
      return new Promise((resolve, reject) => {
        const look = (): void => (isThere() ? resolve() : undefined);
        waiters.push(look);
        look();
        void ended.then(
          () =>
            isThere()
              ? resolve()
              : reject(new Error(`the agent ended and never told ${kind}: ${JSON.stringify(events)}`)),
          reject,
        );
      });
    },
  };
}

/** Runs a test with a platform and a work directory of its own. */
export async function withPlatform(
  platform: FakePlatform,
  body: (workDirectory: string) => Promise<void>,
): Promise<void> {
  const workDirectory = await mkdtemp(join(tmpdir(), 'flexlora-agent-'));
  await platform.start();
  try {
    await body(workDirectory);
  } finally {
    await platform.stop();
    await rm(workDirectory, { recursive: true });
  }
}

/** Finished updates that wait. */
export const updatesOnDisk = (workDirectory: string): Promise<readonly string[]> =>
  readdir(join(workDirectory, 'r1', 'site-a', 'updates'));
