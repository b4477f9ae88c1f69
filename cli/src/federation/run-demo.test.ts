import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Trainer } from '@flexlora/client-agent';
import { Outcome, type Run, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import { createPortableKernel } from '@flexlora/kernel';
import { callUnary, connectClient, silentLogger, systemClock } from '@flexlora/runtime';
import type { LiveView } from './live-view.ts';
import { PARTICIPANTS } from './participants.ts';
import { createPlatform } from './platform.ts';
import { runDemo } from './run-demo.ts';

const RUN_ID = 'demo-1';
const DEADLINE_MS = 30_000;

/** Says what it is, and evaluates until it is told to stop. */
function createWaitingTrainer() {
  const evaluating = Promise.withResolvers<void>();
  const trainer: Trainer = {
    hello: async () => ({
      trainer: 'waiting',
      version: '1',
      modules: [{ name: 'model.layers.0.self_attn.q_proj', out: 32, in: 32 }],
      baseDigest: 'a'.repeat(64),
    }),
    probe: () => assert.fail('nobody trains here'),
    train: () => assert.fail('nobody trains here'),
    evaluate: (_request, { signal } = {}) => {
      evaluating.resolve();
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    },
    close: async () => {},
  };
  return { trainer, evaluating: evaluating.promise };
}

/** Runs the demonstration on a platform without agents; answers how it ended, and the run after that. */
async function endEarly(
  end: (parts: { readonly interrupt: () => void; readonly fail: (error: Error) => void }) => void,
): Promise<{ readonly error: unknown; readonly run: Run | undefined; readonly notes: readonly string[] }> {
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-demo-'));
  const deps = { clock: systemClock, logger: silentLogger, random: Math.random };
  const kernel = createPortableKernel();
  const platform = await createPlatform({ ...deps, kernel }, { redisUrl: null, s3: null, directory, aggregators: 1 });
  const orchestrator = { target: platform.target, tls: null };
  const client = connectClient(RunServiceClient, orchestrator);
  const notes: string[] = [];
  const view: LiveView = { show: () => {}, note: (line) => void notes.push(line), close: () => {} };
  const { trainer, evaluating } = createWaitingTrainer();
  const interrupted = new AbortController();
  const alongside = Promise.withResolvers<never>();
  try {
    const ended = runDemo(
      { ...deps, trainer },
      {
        runId: RUN_ID,
        orchestrator,
        participants: PARTICIPANTS.slice(0, 2),
        rounds: 1,
        seed: 1,
        updateFormat: 'as-trained',
        adapterDir: join(directory, 'adapter'),
        work: directory,
        kernel: kernel.name,
        view,
        startedAt: 0,
        signal: interrupted.signal,
        alongside: alongside.promise,
      },
    ).then(
      () => assert.fail('the demonstration completed'),
      (error: unknown) => error,
    );
    await evaluating;
    end({ interrupt: () => interrupted.abort(new Error('stopped by SIGINT')), fail: alongside.reject });
    const error = await ended;
    const { run } = await callUnary(
      client,
      client.getRun,
      { runId: RUN_ID, withoutCohort: true },
      { deadlineMs: DEADLINE_MS },
    );
    return { error, run, notes };
  } finally {
    client.close();
    await platform.stop();
    await rm(directory, { recursive: true });
  }
}

test('a demonstration that is interrupted cancels its run', async () => {
  const { error, run, notes } = await endEarly(({ interrupt }) => interrupt());
  assert.match(String(error), /stopped by SIGINT/);
  assert.equal(run?.outcome, Outcome.CANCELLED);
  assert.equal(
    notes.some((note) => note.includes('could not be cancelled')),
    false,
  );
});

test('a demonstration whose agents or services fail ends with their failure, and cancels its run', async () => {
  const { error, run } = await endEarly(({ fail }) => fail(new Error('no aggregator is left')));
  assert.match(String(error), /no aggregator is left/);
  assert.equal(run?.outcome, Outcome.CANCELLED);
});

test('a failure alongside ends the demonstration also before the run is created', async () => {
  const { trainer } = createWaitingTrainer();
  const failure = new Error('orchestrator-1 has ended');
  const notes: string[] = [];
  const demo = runDemo(
    // The trainer never says what it is: nothing is created.
    {
      trainer: { ...trainer, hello: () => new Promise(() => {}) },
      clock: systemClock,
      logger: silentLogger,
      random: Math.random,
    },
    {
      runId: RUN_ID,
      orchestrator: { target: '127.0.0.1:1', tls: null },
      participants: PARTICIPANTS.slice(0, 2),
      rounds: 1,
      seed: 1,
      updateFormat: 'as-trained',
      adapterDir: 'nowhere',
      work: 'nowhere',
      kernel: 'portable',
      view: { show: () => {}, note: (line) => void notes.push(line), close: () => {} },
      startedAt: 0,
      signal: new AbortController().signal,
      alongside: Promise.reject(failure),
    },
  );
  await assert.rejects(demo, failure);
  assert.deepEqual(notes, [], 'there is no run to cancel');
});
