import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createAggregator } from '@flexlora/aggregator';
import { type AgentEvent, createClientAgent, exportAdapter, type Trainer } from '@flexlora/client-agent';
import { Outcome, RunServiceClient } from '@flexlora/contracts/run/v1/run_service';
import {
  LatePolicy,
  RankPolicy,
  type RunSpec,
  Scaling,
  Strategy,
  SvdSplit,
  UpdateFormat,
} from '@flexlora/contracts/run/v1/run_spec';
import {
  bytesOfValues,
  factorValues,
  innerProduct,
  isRefusal,
  layOutPeftFile,
  lostProduct,
  type ModuleName,
  parseSafetensorsHeader,
  readFactorEntries,
  type ThinProduct,
  thinProduct,
} from '@flexlora/core';
import { createPortableKernel } from '@flexlora/kernel';
import { createOrchestrator } from '@flexlora/orchestrator';
import { callUnary, cancelOn, connectClient, silentLogger, systemClock } from '@flexlora/runtime';
import { createMemoryObjectStore, createMemoryRoundStore } from '@flexlora/stores';

const MODULES = [
  { name: 'model.layers.0.self_attn.q_proj', out: 48, in: 32 },
  { name: 'model.layers.0.self_attn.v_proj', out: 16, in: 32 },
];
const BASE_DIGEST = 'a'.repeat(64);
const RANK = 4;

const specOf = (runId: string, updateFormat: UpdateFormat): RunSpec => ({
  runId,
  baseModelName: 'test',
  baseModelDigest: BASE_DIGEST,
  modules: MODULES.map(({ name, out, in: columns }) => ({
    name,
    outFeatures: out,
    inFeatures: columns,
    rankGroup: 'attention',
  })),
  rank: { min: RANK, max: 2 * RANK, tiers: [RANK], policy: RankPolicy.MEMORY_FIT },
  rounds: 2,
  cohort: { goal: 2, minimum: 2, overSelection: 1, late: LatePolicy.REFUSE },
  timing: { collectingMs: 60_000, taskLeaseMs: 15_000, agentReadyMs: 60_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 1, scaling: Scaling.CONSTANT },
  strategy: Strategy.FLEXLORA,
  svdSplit: SvdSplit.B,
  aggregation: undefined,
  seed: 1,
  origin: undefined,
  updateFormat,
});

/** A trainer that learns the same of every adapter, and says so in F32. */
function createDecidedTrainer(phase: number): Trainer {
  return {
    hello: async () => ({ trainer: 'decided', version: '1', modules: MODULES, baseDigest: BASE_DIGEST }),
    probe: async ({ ranks }) => ({
      measurements: ranks.map((rank) => ({ rank, memoryBytes: rank, stepSeconds: 0.001 })),
    }),
    train: async ({ adapterOut, ranks, steps }) => {
      const layout = layOutPeftFile(MODULES.map((module) => ({ ...module, rank: ranks[module.name]! })));
      const file = Buffer.alloc(layout.fileBytes);
      file.set(layout.header);
      for (const { begin, end } of layout.factors) {
        const values = Float32Array.from({ length: (end - begin) / 4 }, (_, i) =>
          Math.sin((i + begin) * 37.719 + phase),
        );
        file.set(bytesOfValues(values), begin);
      }
      await mkdir(adapterOut);
      await writeFile(join(adapterOut, 'adapter_model.safetensors'), file);
      await writeFile(join(adapterOut, 'adapter_config.json'), '{}');
      return { samples: 1, steps, lossFirst: 1, lossLast: 1, seconds: 0.001 };
    },
    evaluate: () => assert.fail('nobody evaluates here'),
    close: async () => {},
  };
}

async function productsOf(directory: string): Promise<ReadonlyMap<ModuleName, ThinProduct>> {
  const file = await readFile(join(directory, 'adapter_model.safetensors'));
  const header = parseSafetensorsHeader(file, file.byteLength);
  assert.ok(!isRefusal(header));
  const entries = readFactorEntries(header);
  assert.ok(!isRefusal(entries));
  return new Map(
    [...entries].map(([name, { b, a, rank }]) => {
      const [left, right] = [b, a].map((entry) =>
        factorValues({ ...entry, bytes: file.subarray(entry.begin, entry.end) }),
      );
      return [name, thinProduct(left!, right!, rank)];
    }),
  );
}

test('a run in int8 publishes nearly the adapter of the same run in f32', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'flexlora-int8-'));
  const deps = {
    roundStore: createMemoryRoundStore({ now: systemClock.nowMs }),
    objectStore: createMemoryObjectStore(),
    kernel: createPortableKernel(),
    clock: systemClock,
    logger: silentLogger,
    random: Math.random,
  };
  const orchestrator = await createOrchestrator(deps);
  const control = { target: `127.0.0.1:${orchestrator.port}`, tls: null };
  const aggregatorOptions = { aggregatorId: 'aggregator-1', orchestrator: control, parallelTasks: 1, stopGraceMs: 0 };
  const aggregator = await createAggregator(deps, aggregatorOptions);
  const client = connectClient(RunServiceClient, control);
  const ended = new AbortController();
  const events: AgentEvent[] = [];

  async function published(spec: RunSpec): Promise<ReadonlyMap<ModuleName, ThinProduct>> {
    await callUnary(client, client.createRun, { spec }, { deadlineMs: 10_000 });
    const agents = ['a', 'b'].map((agentId, phase) =>
      createClientAgent(
        { ...deps, trainer: createDecidedTrainer(phase) },
        {
          runId: spec.runId,
          agentId,
          control,
          workDirectory: scratch,
          data: {},
          memoryBytesMax: 1_000,
          uplinkBytesPerSecond: 1e6,
          onEvent: (event) => events.push(event),
        },
      ).run(ended.signal),
    );
    let outcome: Outcome | undefined;
    const stream = cancelOn(client.watchRun({ runId: spec.runId, withoutCohort: true }), ended.signal);
    for await (const { run } of stream) outcome = run?.outcome;
    assert.equal(outcome, Outcome.COMPLETED);
    assert.deepEqual(await Promise.all(agents), ['completed', 'completed']);
    const directory = join(scratch, `${spec.runId}-adapter`);
    const ranks = { attention: 2 * RANK };
    await exportAdapter(deps, { transfer: control, spec, version: 2, ranks, directory, signal: ended.signal });
    return productsOf(directory);
  }

  try {
    const want = await published(specOf('in-f32', UpdateFormat.F32));
    const got = await published(specOf('in-int8', UpdateFormat.INT8));
    assert.equal(want.size, MODULES.length);
    for (const [name, product] of want) {
      const missed = lostProduct(product, got.get(name)!, 1);
      const error = Math.sqrt(Math.max(0, innerProduct(missed, missed)) / innerProduct(product, product));
      assert.ok(error > 1e-6 && error < 0.01, `${name}: ${error}`);
    }
    const errors = events.flatMap((event) => (event.kind === 'quantised' ? [event.relativeError] : []));
    assert.equal(errors.length, 4, 'two agents in two rounds of one run');
    for (const error of errors) assert.ok(error < 0.02, String(error));
  } finally {
    ended.abort(new Error('the test ended'));
    client.close();
    await aggregator.stop();
    await orchestrator.stop();
    await rm(scratch, { recursive: true });
  }
});
