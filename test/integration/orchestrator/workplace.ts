import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { type RefusalReason, type RunId, updatesPrefix } from '@flexlora/core';
import { callUnary, failureOf } from '@flexlora/runtime';
import { awaitAssignment, enrol } from './fake-agent.ts';
import { work } from './fake-aggregator.ts';
import { createRig, type Rig, type Station, toySpec } from './rig.ts';

/** A station with an aggregator at work, for the tests of one file. */
export interface Workplace {
  readonly rig: Rig;
  station(): Station;
  /** A run that collects round 1 from agents `a` and `b`. */
  collecting(runId: string, change?: Partial<RunSpec>): Promise<CollectingRun>;
}

export interface CollectingRun {
  readonly spec: RunSpec;
  readonly ranks: Readonly<Record<string, number>>;
  readonly a: Participant;
  readonly b: Participant;
  storedUpdates(): Promise<readonly string[]>;
}

type Participant = { readonly runId: string; readonly round: number; readonly agentId: string };

/** Called on top of a test file. */
export function createWorkplace(): Workplace {
  const rig = createRig();
  const stop = new AbortController();
  let station: Station;
  let working: Promise<void>;
  before(async () => {
    station = await rig.start();
    working = work(station, rig.objectStore, 'aggregator', stop.signal);
  });
  after(async () => {
    stop.abort();
    await working;
    await rig.close();
  });
  return {
    rig,
    station: () => station,
    collecting: (runId, change = {}) => openRound(rig, station, runId, change),
  };
}

async function openRound(rig: Rig, station: Station, runId: string, change: Partial<RunSpec>): Promise<CollectingRun> {
  const deadline = { deadlineMs: 60_000 };
  const spec = toySpec({ runId, rounds: 1, ...change });
  await callUnary(station.runs, station.runs.createRun, { spec }, deadline);
  await enrol(station, spec, 'a');
  await enrol(station, spec, 'b');
  const [a, b] = await Promise.all([awaitAssignment(station, runId, 'a'), awaitAssignment(station, runId, 'b')]);
  assert.deepEqual(a.ranks, b.ranks);
  return {
    spec,
    ranks: a.ranks,
    a: { runId, round: 1, agentId: 'a' },
    b: { runId, round: 1, agentId: 'b' },
    storedUpdates: async () => {
      const names: string[] = [];
      for await (const { name } of rig.objectStore.list(updatesPrefix(runId as RunId, 1))) names.push(name);
      return names;
    },
  };
}

/** For `assert.rejects`: the call was refused for this reason, in these words. */
export const refusedFor = (reason: RefusalReason, message: RegExp) => (error: unknown) => {
  const failure = failureOf(error);
  assert.equal(failure.kind, 'refusal', String(error));
  assert.equal(failure.kind === 'refusal' ? failure.reason : '', reason);
  assert.match(failure.message, message);
  return true;
};
