import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type AdapterModule, readAdapter, type TrainerModule, writeAdapter } from '@flexlora/embedded-trainer';
import { startTrainer, type TrainerEvent, type TrainerProcess } from './trainer-process.ts';

export interface TrainerConformanceOptions {
  /** Program and arguments of the trainer. */
  readonly command: readonly string[];
  /** `data` of the requests; null for `{"file": …}` with a text of about 8 KB. */
  readonly data: unknown;
  /** At which the trainer's loss falls within twenty steps from α = 16. */
  readonly learningRate: number;
}

/** Modules that the suite trains: enough for mixed ranks, few enough for large models. */
const MODULES_MAX = 14;
const STEPS = 20;
const WEIGHTS = 'adapter_model.safetensors';

/** Tests that a program is a trainer as docs/reference/trainer-protocol.md describes it. */
export function trainerConformance({ command, data: givenData, learningRate }: TrainerConformanceOptions): void {
  suite(`trainer protocol: ${command.join(' ')}`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'flexlora-trainer-'));
    let trainer: TrainerProcess;
    let ready: TrainerEvent;
    let modules: readonly TrainerModule[];
    let nextOut = 1;
    const data = givenData ?? { file: join(folder, 'text.txt') };

    before(async () => {
      writeFileSync(join(folder, 'text.txt'), sampleText());
      trainer = startTrainer(command);
      ready = await trainer.ask('hello', { protocol: 1 });
      modules = (ready['modules'] as readonly TrainerModule[]).slice(0, MODULES_MAX);
      writeAdapter(join(folder, 'zero'), startAdapter(modules, 0), { kind: 'alphaOverRank', alpha: 16 });
      writeAdapter(join(folder, 'start'), startAdapter(modules, 0.01), { kind: 'alphaOverRank', alpha: 16 });
    });
    after(() => {
      trainer.kill();
      rmSync(folder, { recursive: true });
    });

    const ranks = () => Object.fromEntries(modules.map((module, i) => [module.name, rankOf(i)]));
    const newOut = (): string => join(folder, `out-${nextOut++}`);
    const trainFields = (change: object = {}) => ({
      adapter_in: join(folder, 'zero'),
      adapter_out: newOut(),
      ranks: ranks(),
      alpha: 16,
      scaling: 'alpha_over_rank',
      steps: STEPS,
      batch_size: 4,
      learning_rate: learningRate,
      seed: 7,
      data,
      ...change,
    });
    const train = async (change: object = {}): Promise<{ readonly event: TrainerEvent; readonly out: string }> => {
      const fields = trainFields(change);
      return { event: await trainer.ask('train', fields), out: fields.adapter_out };
    };
    const weightsOf = (directory: string): Buffer => readFileSync(join(directory, WEIGHTS));
    const evaluate = async (adapter: string | null): Promise<number> => {
      const event = await trainer.ask('evaluate', { adapter_in: adapter, data });
      assert.equal(event.kind, 'evaluated', JSON.stringify(event));
      assert.ok((event['tokens'] as number) > 0 && (event['seconds'] as number) >= 0);
      return event['loss'] as number;
    };
    const assertError = (event: TrainerEvent, code: string, message: RegExp = /./): void => {
      assert.equal(event.kind, 'error', JSON.stringify(event));
      assert.equal(event['code'], code, String(event['message']));
      assert.match(String(event['message']), message);
    };
    /** A directory like `zero`, with another weights file. */
    const spoiled = (name: string, bytes: Uint8Array): string => {
      mkdirSync(join(folder, name));
      writeFileSync(
        join(folder, name, 'adapter_config.json'),
        readFileSync(join(folder, 'zero', 'adapter_config.json')),
      );
      writeFileSync(join(folder, name, WEIGHTS), bytes);
      return join(folder, name);
    };

    test('hello names the trainer, its modules and the digest of its base', () => {
      assert.equal(ready.kind, 'ready');
      assert.equal(ready['protocol'], 1);
      assert.match(String(ready['trainer']), /./);
      assert.match(String(ready['version']), /./);
      assert.match(String(ready['base_digest']), /^[0-9a-f]{64}$/);
      assert.ok(modules.length > 0);
      for (const { name, out, in: width } of modules) {
        assert.match(name, /^[\w.]+$/);
        assert.ok(Number.isSafeInteger(out) && out > 0 && Number.isSafeInteger(width) && width > 0, name);
      }
    });

    test('hello of another version is refused', async () => {
      assertError(await trainer.ask('hello', { protocol: 2 }), 'bad_request', /protocol/);
    });

    test('probe measures every rank that it is asked for', async () => {
      const event = await trainer.ask('probe', { ranks: [1, 4, 8] });
      assert.equal(event.kind, 'probed', JSON.stringify(event));
      const measurements = event['measurements'] as readonly Record<string, number>[];
      assert.deepEqual(
        measurements.map(({ rank }) => rank),
        [1, 4, 8],
      );
      for (const { memory_bytes: bytes, step_seconds: seconds } of measurements) assert.ok(bytes! > 0 && seconds! > 0);
    });

    test('train reports progress, learns, and writes a PEFT directory of the ranks it was given', async () => {
      const before = await evaluate(join(folder, 'zero'));
      const fields = trainFields();
      const id = trainer.send('train', fields);
      const progress: TrainerEvent[] = [];
      let event = await trainer.nextEvent();
      for (; event.kind === 'progress'; event = await trainer.nextEvent()) progress.push(event);
      assert.equal(event.kind, 'trained', JSON.stringify(event));
      assert.equal(event.id, id);
      assert.equal(event['steps'], STEPS);
      assert.ok((event['samples'] as number) > 0);
      assert.ok(Number.isFinite(event['loss_first']) && Number.isFinite(event['loss_last']));
      assert.ok(progress.length > 0 && progress.every((each) => each.id === id && each['total'] === STEPS));
      assert.deepEqual(readdirSync(fields.adapter_out).sort(), ['adapter_config.json', WEIGHTS]);
      const trained = readAdapter(fields.adapter_out, modules, { kind: 'file' });
      assert.deepEqual(new Map([...trained].map(([name, { rank }]) => [name, rank])), new Map(Object.entries(ranks())));
      assert.ok((await evaluate(fields.adapter_out)) < before);
    });

    test('an adapter whose B is zero is the base', async () => {
      assert.ok(Math.abs((await evaluate(join(folder, 'zero'))) - (await evaluate(null))) < 1e-4);
    });

    test('evaluate heeds the scaling in adapter_config.json', async () => {
      const stronger = spoiled('stronger', weightsOf(join(folder, 'start')));
      const config = JSON.parse(readFileSync(join(stronger, 'adapter_config.json'), 'utf8')) as object;
      writeFileSync(join(stronger, 'adapter_config.json'), JSON.stringify({ ...config, lora_alpha: 64 }));
      assert.notEqual(await evaluate(stronger), await evaluate(join(folder, 'start')));
    });

    test('the three scalings that make the same factor train the same', async () => {
      const adapter = new Map([...startAdapter(modules.slice(0, 1), 0.01)]);
      writeAdapter(join(folder, 'one'), adapter, { kind: 'constant', alpha: 1 });
      const rank = rankOf(0);
      const one = { adapter_in: join(folder, 'one'), ranks: { [modules[0]!.name]: rank } };
      const losses: number[] = [];
      for (const [scaling, alpha] of [
        ['constant', 2],
        ['alpha_over_rank', 2 * rank],
        ['alpha_over_sqrt_rank', 2 * Math.sqrt(rank)],
        ['constant', 4],
      ] as const) {
        const { event } = await train({ ...one, scaling, alpha });
        assert.equal(event.kind, 'trained', JSON.stringify(event));
        losses.push(event['loss_last'] as number);
      }
      assert.ok(Math.abs(losses[1]! - losses[0]!) < 1e-4 && Math.abs(losses[2]! - losses[0]!) < 1e-4, `${losses}`);
      assert.notEqual(losses[3], losses[0]);
    });

    test('the same request gives the same bytes, and another seed does not', async () => {
      const [first, second, other] = [await train(), await train(), await train({ seed: 8 })];
      assert.deepEqual(weightsOf(first.out), weightsOf(second.out));
      assert.notDeepEqual(weightsOf(first.out), weightsOf(other.out));
    });

    test('a request that diverges says so, leaves nothing, and does not change the next', async () => {
      const before = await train();
      const poisoned = await train({ learning_rate: 1e30 });
      assertError(poisoned.event, 'diverged');
      assert.ok(!existsSync(poisoned.out));
      const again = await train();
      assert.deepEqual(weightsOf(again.out), weightsOf(before.out));
    });

    test('cancel stops a training within a step, leaves nothing, and does not change the next', async () => {
      const before = await train();
      const fields = trainFields({ steps: 1_000_000 });
      const id = trainer.send('train', fields);
      assert.equal((await trainer.nextEvent()).kind, 'progress');
      trainer.send('cancel', { target: id });
      const event = await trainer.nextAnswer();
      assert.equal(event.id, id);
      assertError(event, 'cancelled');
      assert.ok(!existsSync(fields.adapter_out));
      const again = await train();
      assert.deepEqual(weightsOf(again.out), weightsOf(before.out));
    });

    test('cancel of a request that is not in work is no fault', async () => {
      trainer.send('cancel', { target: 'nobody' });
      assert.equal((await trainer.ask('hello', { protocol: 1 })).kind, 'ready');
    });

    for (const line of ['not json', '[]', '17', 'null', '{}', '{"id": 5, "kind": "hello", "protocol": 1}']) {
      test(`the line ${line} is refused without an id, and the trainer goes on`, async () => {
        trainer.sendLine(line);
        const event = await trainer.nextAnswer();
        assert.equal(event.id, null);
        assertError(event, 'bad_request');
        assert.equal((await trainer.ask('hello', { protocol: 1 })).kind, 'ready');
      });
    }

    test('a kind that does not exist is refused under its id', async () => {
      const id = trainer.send('dance');
      const event = await trainer.nextAnswer();
      assert.equal(event.id, id);
      assertError(event, 'bad_request', /kind/);
    });

    const numbers = ['alpha', 'steps', 'batch_size', 'learning_rate', 'seed'];
    for (const field of ['adapter_in', 'adapter_out', 'ranks', 'scaling', ...numbers]) {
      test(`train without ${field}, or with a wrong one, is refused by name`, async () => {
        const { [field]: _, ...rest } = trainFields() as Record<string, unknown>;
        assertError(await trainer.ask('train', rest), 'bad_request', new RegExp(field));
        const wrong = { ...rest, [field]: numbers.includes(field) ? -1 : 5 };
        assertError(await trainer.ask('train', wrong), 'bad_request', new RegExp(field));
      });
    }

    test('data that the trainer does not understand is refused', async () => {
      const { event, out } = await train({ data: { nonsense: true } });
      assertError(event, 'bad_data');
      assert.ok(!existsSync(out));
      assertError(await trainer.ask('evaluate', { adapter_in: null, data: { nonsense: true } }), 'bad_data');
    });

    test('an adapter that is missing, cut off, or of other ranks is refused and nothing is written', async () => {
      const whole = weightsOf(join(folder, 'zero'));
      const others = { ...ranks(), [modules[0]!.name]: rankOf(0) + 1 };
      const { [modules[0]!.name]: _, ...fewer } = ranks();
      const requests = [
        { adapter_in: join(folder, 'nowhere') },
        { adapter_in: spoiled('short', whole.subarray(0, whole.length - 1)) },
        { adapter_in: spoiled('header', whole.subarray(0, 20)) },
        { adapter_in: spoiled('empty', new Uint8Array()) },
        { ranks: others },
        { ranks: fewer },
        { ranks: { ...ranks(), 'no.such.module': 2 } },
      ];
      for (const change of requests) {
        const { event, out } = await train(change);
        assertError(event, 'bad_adapter');
        assert.ok(!existsSync(out), JSON.stringify(change));
      }
      assertError(await trainer.ask('evaluate', { adapter_in: join(folder, 'nowhere'), data }), 'bad_adapter');
    });

    test('an adapter_out that exists is refused and left as it is', async () => {
      const { out } = await train();
      const bytes = weightsOf(out);
      assertError((await train({ adapter_out: out, seed: 9 })).event, 'bad_request', /adapter_out/);
      assert.deepEqual(weightsOf(out), bytes);
    });

    test('requests that come together are answered in their order', async () => {
      const ids = [
        trainer.send('train', trainFields({ steps: 2 })),
        trainer.send('evaluate', { adapter_in: null, data }),
        trainer.send('hello', { protocol: 1 }),
      ];
      const answers = [await trainer.nextAnswer(), await trainer.nextAnswer(), await trainer.nextAnswer()];
      assert.deepEqual(
        answers.map(({ id }) => id),
        ids,
      );
      assert.deepEqual(
        answers.map(({ kind }) => kind),
        ['trained', 'evaluated', 'ready'],
      );
    });

    test('a second process gives the same bytes', async () => {
      const fields = trainFields();
      const other = startTrainer(command);
      try {
        assert.equal((await other.ask('train', fields)).kind, 'trained');
      } finally {
        other.kill();
      }
      assert.deepEqual(weightsOf(fields.adapter_out), weightsOf((await train()).out));
    });

    for (const [how, end] of [
      ['shutdown', (own: TrainerProcess): unknown => own.send('shutdown')],
      ['the end of its input', (own: TrainerProcess): unknown => own.endInput()],
    ] as const) {
      test(`${how} ends the process with 0, also in the middle of a training`, async () => {
        for (const busy of [null, trainFields({ steps: 1_000_000 })]) {
          const own = startTrainer(command);
          try {
            await own.ask('hello', { protocol: 1 });
            if (busy !== null) {
              own.send('train', busy);
              assert.equal((await own.nextEvent()).kind, 'progress');
            }
            end(own);
            assert.equal(await own.exited(), 0);
            assert.ok(busy === null || !existsSync(busy.adapter_out));
          } finally {
            own.kill();
          }
        }
      });
    }
  });
}

const rankOf = (index: number): number => [4, 2, 3, 8][index % 4]!;

/** A with small numbers that differ, B with a constant. */
function startAdapter(modules: readonly TrainerModule[], b: number): ReadonlyMap<string, AdapterModule> {
  return new Map(
    modules.map(({ name, out, in: width }, i) => {
      const rank = rankOf(i);
      const a = Float32Array.from({ length: rank * width }, (_, j) => Math.sin(1 + j * 12.9898 + i) / Math.sqrt(width));
      return [name, { out, in: width, rank, scaling: 1, a, b: new Float32Array(out * rank).fill(b) }];
    }),
  );
}

function sampleText(): string {
  return Array.from(
    { length: 200 },
    (_, i) => `Message ${i}: the value of field ${i % 7} must be below ${i * 3}.`,
  ).join('\n');
}
