import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type AgentEvent, createClientAgent, exportAdapter, type Trainer } from '@flexlora/client-agent';
import { Outcome } from '@flexlora/contracts/run/v1/run_service';
import { type RunSpec, UpdateFormat } from '@flexlora/contracts/run/v1/run_spec';
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
import { callUnary, cancelOn } from '@flexlora/runtime';
import { createTestTrainer, memoryFit, startMemoryPlatform, testRunSpec } from './memory-platform.ts';

const MODULES = [
  { name: 'model.layers.0.self_attn.q_proj', out: 48, in: 32 },
  { name: 'model.layers.0.self_attn.v_proj', out: 16, in: 32 },
];
const RANK = 4;

const specOf = (runId: string, updateFormat: UpdateFormat): RunSpec =>
  testRunSpec(MODULES, { runId, rank: memoryFit([RANK], 2 * RANK), rounds: 2, updateFormat });

/** A trainer that learns the same of every adapter, and says so in F32. */
const createDecidedTrainer = (phase: number): Trainer =>
  createTestTrainer(MODULES, async ({ adapterOut, ranks }) => {
    const layout = layOutPeftFile(MODULES.map((module) => ({ ...module, rank: ranks[module.name]! })));
    const file = Buffer.alloc(layout.fileBytes);
    file.set(layout.header);
    for (const { begin, end } of layout.factors) {
      const values = Float32Array.from({ length: (end - begin) / 4 }, (_, i) => Math.sin((i + begin) * 37.719 + phase));
      file.set(bytesOfValues(values), begin);
    }
    await writeFile(join(adapterOut, 'adapter_model.safetensors'), file);
    await writeFile(join(adapterOut, 'adapter_config.json'), '{}');
  });

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
  const platform = await startMemoryPlatform();
  const { deps, control, runs } = platform;
  const ended = new AbortController();
  const events: AgentEvent[] = [];

  async function published(spec: RunSpec): Promise<ReadonlyMap<ModuleName, ThinProduct>> {
    await callUnary(runs, runs.createRun, { spec }, { deadlineMs: 10_000 });
    const agents = ['a', 'b'].map((agentId, phase) =>
      createClientAgent(
        { ...deps, trainer: createDecidedTrainer(phase) },
        {
          ...platform.agentOptions(spec.runId, agentId, scratch),
          onEvent: (event) => events.push(event),
        },
      ).run(ended.signal),
    );
    let outcome: Outcome | undefined;
    const stream = cancelOn(runs.watchRun({ runId: spec.runId, withoutCohort: true }), ended.signal);
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
    await platform.stop();
    await rm(scratch, { recursive: true });
  }
});
