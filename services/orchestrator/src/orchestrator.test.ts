import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import { TransferServiceClient } from '@flexlora/contracts/transfer';
import { callUnary, connectClient, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore, ObjectStoreFault } from '@flexlora/stores';
import { createOrchestrator, ORCHESTRATOR_DEFAULTS, type OrchestratorDeps } from './orchestrator.ts';
import { protoReflection } from './proto-reflection.ts';

const deadline = { deadlineMs: 20_000 };

const newDeps = (): OrchestratorDeps => ({
  roundStore: createMemoryRoundStore({ now: systemClock.nowMs }),
  objectStore: createMemoryObjectStore(),
  clock: systemClock,
  logger: silentLogger,
  random: Math.random,
});

test('each role serves its own services and no other, with their contracts for reflection', async () => {
  for (const role of ['control', 'transfer'] as const) {
    const orchestrator = await createOrchestrator(newDeps(), {
      ...ORCHESTRATOR_DEFAULTS,
      role,
      reflection: protoReflection(role),
    });
    const channel = { target: `127.0.0.1:${orchestrator.port}`, tls: null };
    const runs = connectClient(RunServiceClient, channel);
    const transfer = connectClient(TransferServiceClient, channel);
    const list = () => callUnary(runs, runs.listRuns, {}, deadline);
    const abort = callUnary(
      transfer,
      transfer.abortUpload,
      { runId: '', round: 0, agentId: '', uploadId: '' },
      deadline,
    );
    await assert.rejects(abort, role === 'transfer' ? /run_id is ""/ : /UNIMPLEMENTED/);
    if (role === 'control') assert.deepEqual(await list(), { runs: [] });
    else await assert.rejects(list(), /UNIMPLEMENTED/);
    runs.close();
    transfer.close();
    await orchestrator.stop();
  }
});

test('metrics have one prefix, and none is labelled by run or agent', async () => {
  const orchestrator = await createOrchestrator(newDeps());
  const text = await (await fetch(`http://127.0.0.1:${orchestrator.statusPort}/metrics`)).text();
  const own = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name ?? '');
  const foreign = own.filter((name) => !/^(flexlora|grpc_server|process|nodejs)_/.test(name));
  assert.deepEqual(foreign, []);
  assert.ok(own.includes('flexlora_run_commit_seconds'));
  assert.doesNotMatch(text, /\b(run|run_id|agent|agent_id)="/);
  await orchestrator.stop();
});

test('a store that does not answer fails the start with its reason, and leaves no port open', async () => {
  const deps = newDeps();
  const objectStore = {
    ...deps.objectStore,
    checkReady: () => Promise.reject(new ObjectStoreFault('the bucket flexlora does not exist; create it')),
  };
  await assert.rejects(createOrchestrator({ ...deps, objectStore }), /the bucket flexlora does not exist; create it/);
});

test('stopping twice is stopping once', async () => {
  const orchestrator = await createOrchestrator(newDeps());
  await Promise.all([orchestrator.stop(), orchestrator.stop()]);
  await assert.rejects(fetch(`http://127.0.0.1:${orchestrator.statusPort}/livez`));
});
