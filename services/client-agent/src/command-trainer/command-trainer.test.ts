import assert from 'node:assert/strict';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Logger, silentLogger, systemClock } from '@flexlora/runtime';
import { type Trainer, TrainerError, type TrainerErrorCode, type TrainRequest } from '../trainer.ts';
import { createCommandTrainer } from './command-trainer.ts';
import { LINE_BYTES_MAX, REQUESTS_WAITING_MAX, type TrainerLimits } from './limits.ts';

/** What every scripted trainer begins with; `handle(request)` is what differs. */
const PREAMBLE = `
  const tell = (event) => process.stdout.write(JSON.stringify(event) + '\\n');
  const ready = (id) => tell({ id, kind: 'ready', protocol: 1, trainer: 'scripted', version: '1',
    modules: [{ name: 'm', out: 2, in: 3 }], base_digest: 'a'.repeat(64) });
  const trained = (id) => tell({ id, kind: 'trained', samples: 7, steps: 2, loss_first: 3, loss_last: 1.5, seconds: 0.1 });
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const request = JSON.parse(line);
    if (request.kind === 'hello') ready(request.id);
    else if (request.kind === 'shutdown') process.exit(0);
    else handle(request);
  });
`;

const TRAIN: TrainRequest = {
  adapterIn: '/adapters/in',
  adapterOut: '/adapters/out',
  ranks: { m: 2 },
  alpha: 4,
  scaling: 'alphaOverSqrtRank',
  steps: 2,
  batchSize: 1,
  learningRate: 0.01,
  seed: 5,
  data: { split: 'x' },
};

/** Runs a test with a trainer whose handling of requests is this script. */
async function withTrainer(
  handle: string,
  body: (trainer: Trainer, directory: string) => Promise<void>,
  options: { readonly limits?: Partial<TrainerLimits>; readonly logger?: Logger } = {},
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-trainer-'));
  const trainer = createCommandTrainer({
    command: process.execPath,
    args: ['-e', `${PREAMBLE}\n${handle}`],
    cwd: directory,
    clock: systemClock,
    logger: options.logger ?? silentLogger,
    limits: { exitMs: 2_000, termMs: 500, ...options.limits },
  });
  try {
    await body(trainer, directory);
  } finally {
    await trainer.close();
    await rm(directory, { recursive: true });
  }
}

const failsWith = (code: TrainerErrorCode, words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof TrainerError, String(error));
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  return true;
};

/** Keeps its process id in a file, so that a test sees which life it spoke with. */
const LIVES = `const fs = require('node:fs'); fs.appendFileSync('lives', process.pid + '\\n');
  const life = fs.readFileSync('lives', 'utf8').trim().split('\\n').length;`;
const lives = async (directory: string): Promise<readonly number[]> =>
  (await readFile(join(directory, 'lives'), 'utf8')).trim().split('\n').map(Number);

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

test('a request goes out in the words of the protocol, and progress and result come back', async () => {
  const handle = `const handle = (request) => {
    if (request.kind === 'probe') return tell({ id: request.id, kind: 'probed', measurements: request.ranks.map((rank) => ({ rank, memory_bytes: rank * 10, step_seconds: 0.5 })) });
    if (request.kind === 'evaluate') return tell({ id: request.id, kind: 'evaluated', loss: 2, tokens: 9, seconds: 1 });
    require('node:fs').writeFileSync('request.json', JSON.stringify(request));
    tell({ id: request.id, kind: 'progress', done: 1, total: 2, loss: null });
    tell({ id: request.id, kind: 'progress', done: 2, total: 2, loss: 1.5 });
    trained(request.id);
  };`;
  await withTrainer(handle, async (trainer, directory) => {
    assert.deepEqual(await trainer.hello(), {
      trainer: 'scripted',
      version: '1',
      modules: [{ name: 'm', out: 2, in: 3 }],
      baseDigest: 'a'.repeat(64),
    });
    assert.deepEqual(await trainer.probe({ ranks: [2] }), {
      measurements: [{ rank: 2, memoryBytes: 20, stepSeconds: 0.5 }],
    });
    const told: unknown[] = [];
    const result = await trainer.train(TRAIN, { onProgress: (progress) => told.push(progress) });
    assert.deepEqual(result, { samples: 7, steps: 2, lossFirst: 3, lossLast: 1.5, seconds: 0.1 });
    assert.deepEqual(told, [
      { done: 1, total: 2, loss: null },
      { done: 2, total: 2, loss: 1.5 },
    ]);
    const { id, ...request } = JSON.parse(await readFile(join(directory, 'request.json'), 'utf8'));
    assert.equal(typeof id, 'string');
    assert.deepEqual(request, {
      kind: 'train',
      adapter_in: '/adapters/in',
      adapter_out: '/adapters/out',
      ranks: { m: 2 },
      alpha: 4,
      scaling: 'alpha_over_sqrt_rank',
      steps: 2,
      batch_size: 1,
      learning_rate: 0.01,
      seed: 5,
      data: { split: 'x' },
    });
    assert.deepEqual(await trainer.evaluate({ adapterIn: null, data: {} }), { loss: 2, tokens: 9, seconds: 1 });
  });
});

for (const code of ['bad_request', 'bad_adapter', 'bad_data', 'out_of_memory', 'diverged', 'internal'] as const) {
  test(`the error ${code} of a trainer reaches the caller, and the process goes on`, async () => {
    const handle = `${LIVES} let failed = false; const handle = (request) => {
      if (failed) return trained(request.id);
      failed = true;
      tell({ id: request.id, kind: 'error', code: '${code}', message: 'what went wrong', peak_bytes: 1 });
    };`;
    await withTrainer(handle, async (trainer, directory) => {
      await assert.rejects(trainer.train(TRAIN), failsWith(code, /what went wrong/));
      assert.equal((await trainer.train(TRAIN)).samples, 7);
      assert.equal((await lives(directory)).length, 1);
    });
  });
}

test('a line that is no event is logged and passed over', async () => {
  const warned: unknown[] = [];
  const logger: Logger = { ...silentLogger, warn: (fields) => void warned.push(fields['text']) };
  const handle = `const handle = (request) => {
    console.log('Loading checkpoint shards: 100%');
    console.log(JSON.stringify({ id: request.id, kind: 'weather' }));
    console.log(JSON.stringify({ id: 'another', kind: 'trained' }));
    trained(request.id);
  };`;
  await withTrainer(
    handle,
    async (trainer) => {
      assert.equal((await trainer.train(TRAIN)).samples, 7);
      assert.equal(warned[0], 'Loading checkpoint shards: 100%');
      assert.match(String(warned[1]), /weather/);
    },
    { logger },
  );
});

test('a trainer that prints only what is no event is stopped', async () => {
  const handle = `const handle = () => { for (let i = 0; i < 200; i += 1) console.log('step', i); };`;
  await withTrainer(handle, async (trainer) => {
    await assert.rejects(trainer.train(TRAIN), failsWith('internal', /101 lines that are no events.*allowed: 100/));
  });
});

test('an answer with wrong fields fails the request by the name of the field, and the next request finds a new process', async () => {
  const handle = `${LIVES} const handle = (request) => {
    if (life === 2) return trained(request.id);
    tell({ id: request.id, kind: 'trained', samples: 'many', steps: 2, loss_first: 3, loss_last: 1.5, seconds: 0.1 });
  };`;
  await withTrainer(handle, async (trainer, directory) => {
    await assert.rejects(trainer.train(TRAIN), failsWith('internal', /wrong fields \(samples/));
    assert.equal((await trainer.train(TRAIN)).samples, 7);
    assert.equal((await lives(directory)).length, 2);
  });
});

test('a line above the limit stops the trainer, and the next request finds a new one', async () => {
  const handle = `${LIVES} const handle = (request) => {
    if (life === 2) return trained(request.id);
    process.stdout.write('x'.repeat(${LINE_BYTES_MAX} + 1));
  };`;
  await withTrainer(handle, async (trainer, directory) => {
    await assert.rejects(trainer.train(TRAIN), failsWith('exited', /a line of more than 1048576 bytes/));
    assert.equal((await trainer.train(TRAIN)).samples, 7);
    const [first] = await lives(directory);
    assert.equal(isRunning(first!), false);
  });
});

test('a line of exactly the limit is read', async () => {
  const handle = `const handle = (request) => {
    const event = { id: request.id, kind: 'error', code: 'internal', message: '' };
    event.message = 'x'.repeat(${LINE_BYTES_MAX} - JSON.stringify(event).length);
    tell(event);
  };`;
  await withTrainer(handle, async (trainer) => {
    await assert.rejects(trainer.train(TRAIN), failsWith('internal', /^x+$/));
  });
});

test('a silent trainer is stopped as stalled, and the next request finds a new one', async () => {
  const handle = `${LIVES} const handle = (request) => { if (life === 2) trained(request.id); };`;
  await withTrainer(
    handle,
    async (trainer, directory) => {
      await trainer.hello();
      await assert.rejects(trainer.train(TRAIN), failsWith('stalled', /said nothing for 1500 ms during train/));
      assert.equal((await trainer.train(TRAIN)).samples, 7);
      const [first] = await lives(directory);
      assert.equal(isRunning(first!), false);
    },
    { limits: { silenceMs: 1_500 } },
  );
});

test('a trainer that dies in the middle fails the request with its exit code and its last words, and is started again', async () => {
  const handle = `${LIVES} const handle = (request) => {
    if (life === 2) return trained(request.id);
    tell({ id: request.id, kind: 'progress', done: 1, total: 2, loss: 3 });
    process.stderr.write('CUDA error: device lost\\n', () => process.exit(9));
  };`;
  await withTrainer(handle, async (trainer) => {
    const told: unknown[] = [];
    const training = trainer.train(TRAIN, { onProgress: (progress) => told.push(progress) });
    await assert.rejects(training, failsWith('exited', /exited with code 9; its last words: CUDA error: device lost/));
    assert.equal(told.length, 1);
    assert.equal((await trainer.train(TRAIN)).samples, 7);
  });
});

test('a command that is not there fails with what to do', async () => {
  const trainer = createCommandTrainer({
    command: '/nowhere/trainer',
    args: [],
    clock: systemClock,
    logger: silentLogger,
  });
  await assert.rejects(
    trainer.hello(),
    failsWith('exited', /cannot start \/nowhere\/trainer: .*ENOENT.*set a command/),
  );
  await trainer.close();
});

test('an abort cancels the request under way, and the same process serves the next', async () => {
  const handle = `${LIVES} const handle = (request) => {
    if (request.kind === 'cancel') return tell({ id: request.target, kind: 'error', code: 'cancelled', message: 'as asked' });
    if (request.kind === 'evaluate') return tell({ id: request.id, kind: 'evaluated', loss: 2, tokens: 9, seconds: 1 });
    tell({ id: request.id, kind: 'progress', done: 1, total: 9, loss: 3 });
  };`;
  await withTrainer(handle, async (trainer, directory) => {
    const stop = new AbortController();
    const training = trainer.train(TRAIN, { signal: stop.signal, onProgress: () => stop.abort() });
    await assert.rejects(training, failsWith('cancelled', /as asked/));
    assert.equal((await trainer.evaluate({ adapterIn: null, data: {} })).tokens, 9);
    assert.equal((await lives(directory)).length, 1);
  });
});

test('a trainer that does not heed a cancel is stopped', async () => {
  const handle = `const handle = (request) => tell({ id: request.id, kind: 'progress', done: 1, total: 9, loss: 3 });`;
  await withTrainer(
    handle,
    async (trainer) => {
      const stop = new AbortController();
      const training = trainer.train(TRAIN, { signal: stop.signal, onProgress: () => stop.abort() });
      await assert.rejects(training, failsWith('cancelled', /did not cancel train within 100 ms/));
    },
    { limits: { cancelMs: 100 } },
  );
});

test('requests are served one at a time, in their order; more than may wait are refused', async () => {
  const handle = `let busy = false; const handle = (request) => {
    if (busy) process.exit(3);
    busy = true;
    setImmediate(() => { busy = false; tell({ id: request.id, kind: 'evaluated', loss: request.data, tokens: 1, seconds: 1 }); });
  };`;
  await withTrainer(handle, async (trainer) => {
    const asked = Array.from({ length: REQUESTS_WAITING_MAX }, (_, data) =>
      trainer.evaluate({ adapterIn: null, data }),
    );
    await assert.rejects(
      trainer.evaluate({ adapterIn: null, data: 99 }),
      failsWith('bad_request', /16 requests wait for the trainer; allowed: 16/),
    );
    const losses = (await Promise.all(asked)).map(({ loss }) => loss);
    assert.deepEqual(losses, [...losses.keys()]);
  });
});

test('closing ends a trainer that ignores both the request and SIGTERM, and what it started', async () => {
  const handle = `${LIVES}
    process.on('SIGTERM', () => {});
    process.removeAllListeners('exit');
    process.exit = () => {};
    setInterval(() => {}, 1000);
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    fs.appendFileSync('lives', child.pid + '\\n');
    const handle = () => {};`;
  await withTrainer(
    handle,
    async (trainer, directory) => {
      await trainer.hello();
      const pids = await lives(directory);
      assert.equal(pids.length, 2);
      assert.ok(pids.every(isRunning));
      await trainer.close();
      await gone(pids[1]!);
      assert.equal(isRunning(pids[0]!), false);
      await assert.rejects(trainer.train(TRAIN), failsWith('cancelled', /closed/));
    },
    { limits: { exitMs: 100, termMs: 100 } },
  );
});

test('a trainer that exits when it is asked to is not signalled', async () => {
  const handle = `process.on('exit', (code) => require('node:fs').writeFileSync('farewell', String(code))); const handle = () => {};`;
  await withTrainer(handle, async (trainer, directory) => {
    await trainer.hello();
    await trainer.close();
    await access(join(directory, 'farewell'));
    assert.equal(await readFile(join(directory, 'farewell'), 'utf8'), '0');
  });
});

/** A grandchild is reaped by init, which may be a moment later than its parent's end. */
async function gone(pid: number): Promise<void> {
  while (isRunning(pid)) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    if (state === '' || state.split(') ')[1]?.startsWith('Z')) return;
    await nextTurn();
  }
}
