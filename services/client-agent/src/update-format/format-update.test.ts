import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import {
  bytesOfValues,
  convertFactor,
  dequantiseRows,
  encodeSafetensorsHeader,
  type FactorDtype,
  factorValues,
  innerProduct,
  isRefusal,
  lostProduct,
  type ModuleName,
  parseSafetensorsHeader,
  peftTensorName,
  type RawFactor,
  readUpdateEntries,
  SCALES_SUFFIX,
  type ThinProduct,
  thinProduct,
  type UpdateFactorEntry,
  type UpdateFormat,
} from '@flexlora/core';
import { silentLogger } from '@flexlora/runtime';
import { createMemoryDisk } from '../disk/memory-disk.ts';
import type { FinishedUpdate } from '../finished-update.ts';
import { RANKS, SPEC } from '../testing/fake-adapter.ts';
import { assignmentOf, type RunPlan, runPlanOf } from '../translate.ts';
import { FEEDBACK_FILE, openWorkDirectory, UPDATE_FILE } from '../work-directory.ts';
import { formatUpdate } from './format-update.ts';

const FORMATS: readonly UpdateFormat[] = ['as-trained', 'f32', 'bf16', 'f16', 'int8'];
const TRAINED: readonly FactorDtype[] = ['F32', 'BF16', 'F16'];
/** The largest relative step from one number of a type to the next, halved. */
const HALF_STEP: Readonly<Record<string, number>> = { 'as-trained': 0, f32: 0, bf16: 2 ** -9, f16: 2 ** -12 };

type Factors = ReadonlyMap<string, RawFactor>;

function planOf(updateFormat: UpdateFormat): RunPlan {
  const plan = runPlanOf(SPEC);
  assert.ok(!isRefusal(plan));
  return { ...plan, updateFormat };
}

/** What a trainer wrote: the same numbers every time, that all its types hold. */
function trainedFactors(dtype: FactorDtype, ranks: Readonly<Record<string, number>> = RANKS): Factors {
  const factors = new Map<string, RawFactor>();
  for (const { name, outFeatures: out, inFeatures, rankGroup } of SPEC.modules) {
    const rank = Math.min(ranks[rankGroup]!, out, inFeatures);
    for (const [side, rows, cols] of [
      ['a', rank, inFeatures],
      ['b', out, rank],
    ] as const) {
      const values = Float32Array.from({ length: rows * cols }, (_, i) => Math.sin(i * 37.719 + out));
      const exact = converted(converted({ dtype: 'F32', rows, cols, bytes: bytesOfValues(values) }, 'BF16'), 'F16');
      factors.set(peftTensorName(name, side), converted(exact, dtype));
    }
  }
  return factors;
}

function converted(factor: RawFactor, dtype: FactorDtype): RawFactor {
  const answer = convertFactor(factor, dtype, '');
  assert.ok(!isRefusal(answer));
  return answer;
}

function encode(factors: Factors): Buffer {
  const shapes = [...factors].map(([name, { dtype, rows, cols }]) => ({ name, dtype, shape: [rows, cols] }));
  const { header, bytes } = encodeSafetensorsHeader(shapes);
  const file = Buffer.alloc(header.fileBytes);
  file.set(bytes);
  for (const { name, begin } of header.tensors) file.set(factors.get(name)!.bytes, begin);
  return file;
}

/** The products that a platform sees in an update. */
function productsOf(file: Buffer): ReadonlyMap<ModuleName, ThinProduct> {
  const header = parseSafetensorsHeader(file, file.byteLength);
  assert.ok(!isRefusal(header));
  const entries = readUpdateEntries(header);
  assert.ok(!isRefusal(entries));
  const valuesOf = (entry: UpdateFactorEntry): Float32Array => {
    const { rows, cols, dtype } = entry;
    const bytes = new Uint8Array(file.subarray(entry.begin, entry.end));
    if (dtype !== 'I8') return factorValues({ dtype, rows, cols, bytes });
    const scales = new Float32Array(new Uint8Array(file.subarray(entry.scales.begin, entry.scales.end)).buffer);
    return dequantiseRows({ rows, cols, values: new Int8Array(bytes.buffer), scales });
  };
  return new Map([...entries].map(([name, { b, a, rank }]) => [name, thinProduct(valuesOf(b), valuesOf(a), rank)]));
}

/** An agent's disk, on which a trainer's file is brought into a run's format, round by round. */
async function createBench(format: UpdateFormat) {
  const disk = createMemoryDisk();
  const work = await openWorkDirectory({ path: '/w', runId: 'r1', agentId: 'a' }, { disk, logger: silentLogger });
  const plan = planOf(format);

  async function run(round: number, factors: Factors, ranks: Readonly<Record<string, number>> = RANKS) {
    const message = { round, adapterVersion: round - 1, ranks: { ...ranks }, rankReason: '', seed: 1 };
    const assignment = assignmentOf({ ...message, deadlineAtMs: 0, deadlineInMs: 0, handout: 0 }, plan);
    assert.ok(!isRefusal(assignment));
    const directory = await work.trainingPath(round);
    await disk.makeDirectory(directory);
    const file = await disk.create(`${directory}/${UPDATE_FILE}`);
    await file.write(encode(factors), 0);
    await file.close();
    const signal = new AbortController().signal;
    const formatted = await formatUpdate({ disk, work, logger: silentLogger }, { plan, assignment, directory, signal });
    return { formatted, directory, bytes: (await disk.read(`${directory}/${UPDATE_FILE}`))! };
  }

  async function finish(round: number, factors: Factors, ranks = RANKS): Promise<Buffer> {
    const { formatted, bytes } = await run(round, factors, ranks);
    assert.ok(!isRefusal(formatted), isRefusal(formatted) ? formatted.message : '');
    const madeFor = { adapterVersion: round - 1, ranks, seed: 1 };
    const update: FinishedUpdate = {
      ...{ version: 1, round, handout: 0, madeFor, samples: 1, loss: null, upload: null },
      bytes: formatted.bytes,
      sha256: formatted.sha256,
    };
    await work.keepUpdate(update);
    return bytes;
  }

  return { disk, work, run, finish };
}

for (const format of FORMATS) {
  for (const dtype of TRAINED) {
    test(`a trainer's ${dtype} is sent in format ${format}, and its size and digest are those of what is sent`, async () => {
      const factors = trainedFactors(dtype);
      const { formatted, bytes, directory } = await (await createBench(format)).run(1, factors);
      assert.ok(!isRefusal(formatted), isRefusal(formatted) ? formatted.message : '');
      assert.equal(formatted.bytes, bytes.byteLength);
      assert.equal(formatted.sha256, createHash('sha256').update(bytes).digest('hex'));
      assert.ok(directory.length > 0);
      const [want, got] = [productsOf(encode(factors)), productsOf(bytes)];
      let [lost, all] = [0, 0];
      for (const [name, product] of want) {
        const missed = lostProduct(product, got.get(name)!, 1);
        const scaling = 6 / product.a.length;
        lost += scaling ** 2 * innerProduct(missed, missed);
        all += scaling ** 2 * innerProduct(product, product);
      }
      const error = Math.sqrt(Math.max(0, lost) / all);
      if (format === 'int8') {
        assert.ok(error < 0.01 && Math.abs(formatted.relativeError! - error) < 1e-6, `${formatted.relativeError}`);
      } else {
        assert.equal(formatted.relativeError, null);
        assert.ok(error <= 2 * HALF_STEP[format]! + 1e-7);
      }
    });
  }
}

test('the same training gives the same bytes, whatever type the trainer wrote', async () => {
  for (const format of ['f32', 'bf16', 'f16', 'int8'] as const) {
    const files: Buffer[] = [];
    for (const dtype of TRAINED) files.push((await (await createBench(format)).run(1, trainedFactors(dtype))).bytes);
    assert.deepEqual(files[1], files[0]);
    assert.deepEqual(files[2], files[0]);
  }
});

test('a number that the format cannot hold fails the training in words, and what diverged does so in every format', async () => {
  const refusalFor = async (format: UpdateFormat, number: number): Promise<string> => {
    const factors = trainedFactors('F32');
    for (const side of ['a', 'b'] as const) {
      const { bytes } = factors.get(peftTensorName('model.v_proj', side))!;
      new DataView(bytes.buffer).setFloat32(4 * 5, number, true);
    }
    const { formatted } = await (await createBench(format)).run(1, factors);
    assert.ok(isRefusal(formatted));
    return formatted.message;
  };
  assert.match(await refusalFor('f16', 1e6), /v_proj\.lora_A\.weight holds 1000000 at index 5 .*F16 cannot hold/);
  assert.match(await refusalFor('bf16', 3.4e38), /BF16 cannot hold/);
  assert.match(await refusalFor('int8', 3.4e38), /module model\.v_proj holds numbers that int8 .* cannot hold/);
  for (const format of FORMATS) assert.match(await refusalFor(format, Number.NaN), /holds NaN or infinity at index 5/);
});

/** The error of the mean of what was sent over some rounds of one training. */
async function errorOfMean(settle: (bench: Awaited<ReturnType<typeof createBench>>, round: number) => Promise<void>) {
  const bench = await createBench('int8');
  const factors = trainedFactors('F32');
  const rounds = 6;
  const sent: ReadonlyMap<ModuleName, ThinProduct>[] = [];
  for (let round = 1; round <= rounds; round++) {
    sent.push(productsOf(await bench.finish(round, factors)));
    await settle(bench, round);
    await bench.work.dropUpdate(round);
  }
  return [...productsOf(encode(factors))].map(([name, product]) => {
    const mean = {
      b: sent.flatMap((products) => products.get(name)!.b.map((column) => column.map((value) => value / rounds))),
      a: sent.flatMap((products) => products.get(name)!.a),
    };
    const missed = lostProduct(product, mean, 1);
    return Math.sqrt(Math.max(0, innerProduct(missed, missed)) / innerProduct(product, product));
  });
}

test('what an accepted update lost is sent with the next one, and what another lost is not', async () => {
  const fed = await errorOfMean((bench, round) => bench.work.keepFeedback(round));
  const dropped = await errorOfMean(async () => {});
  for (const [i, error] of dropped.entries()) assert.ok(fed[i]! < error / 2, `${fed[i]} fed back, ${error} dropped`);
});

test('one file is kept, of the update that was accepted last; a refused one leaves it', async () => {
  const { disk, work, finish } = await createBench('int8');
  const at = `/w/r1/a/${FEEDBACK_FILE}`;
  await finish(1, trainedFactors('F32'));
  assert.equal(await disk.size(at), null);
  await work.keepFeedback(1);
  await work.dropUpdate(1);
  const kept = await disk.read(at);
  assert.ok(kept !== null);
  await finish(2, trainedFactors('F32'));
  await work.dropUpdate(2);
  assert.deepEqual(await disk.read(at), kept);
  // Where the process stopped after it was kept and before the update was dropped.
  await finish(3, trainedFactors('F32'));
  await work.keepFeedback(3);
  const next = await disk.read(at);
  assert.notDeepEqual(next, kept);
  await work.keepFeedback(3);
  disk.crash();
  assert.deepEqual(await disk.read(at), next);
});

test('a round that is handed out again after its update was accepted is fed nothing back', async () => {
  const { work, finish } = await createBench('int8');
  const first = await finish(4, trainedFactors('F32'));
  await work.keepFeedback(4);
  assert.deepEqual(await finish(4, trainedFactors('F32')), first);
  assert.notDeepEqual(await finish(5, trainedFactors('F32')), first);
});

test('what was lost at other ranks is fed back, and a file that is broken is not', async () => {
  const wider = { attention: 8, 'feed-forward': 4 };
  const { disk, work, finish } = await createBench('int8');
  const plain = await finish(1, trainedFactors('F32'));
  await finish(1, trainedFactors('F32', wider), wider);
  await work.keepFeedback(1);
  const fed = await finish(2, trainedFactors('F32'));
  assert.notDeepEqual(fed, plain);
  const file = await disk.create(work.feedbackFile());
  await file.write(Buffer.from('no tensors'), 0);
  await file.close();
  assert.deepEqual(await finish(3, trainedFactors('F32')), plain);
});

test('scales are named after their factors', async () => {
  const { bytes } = await (await createBench('int8')).run(1, trainedFactors('F32'));
  const header = parseSafetensorsHeader(bytes, bytes.byteLength);
  assert.ok(!isRefusal(header));
  const names = header.tensors.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape.join(', ')}]`);
  assert.ok(names.includes(`${peftTensorName('model.q_proj', 'b')} I8 [48, 4]`));
  assert.ok(names.includes(`${peftTensorName('model.q_proj', 'b')}${SCALES_SUFFIX} F32 [48]`));
});
