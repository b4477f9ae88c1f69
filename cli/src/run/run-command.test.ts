import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createPortableKernel } from '@flexlora/kernel';
import { silentLogger, systemClock } from '@flexlora/runtime';
import { createPlatform, type Platform } from '../federation/platform.ts';
import { PERSON_PATIENCE } from './limits.ts';
import { createRunClient, type RunClient } from './run-client.ts';
import { runCommand } from './run-command.ts';

const SPEC = {
  baseModel: { name: 'tiny', digest: 'a'.repeat(64) },
  modules: [{ name: 'model.layers.0.self_attn.q_proj', out: 8, in: 8, rankGroup: 'attention' }],
  rank: { min: 1, max: 4, tiers: [2, 4] },
  rounds: 3,
  cohort: { goal: 2, minimum: 2 },
  timing: { collectingMs: 600_000, taskLeaseMs: 15_000, agentReadyMs: 60_000 },
  training: { steps: 1, batchSize: 1, learningRate: 0.1, alpha: 1 },
};

/** The words of one command, and what it wrote and answered. */
async function command(words: readonly string[], env: Readonly<Record<string, string>> = {}) {
  let [out, err] = ['', ''];
  const code = await runCommand(words, {
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    env,
  });
  return { code, out, err };
}

describe('flexlora run', () => {
  let platform: Platform;
  let directory: string;
  let client: RunClient;

  const ask = (...words: readonly string[]) => command([...words, '--server', platform.target]);
  const askJson = async (...words: readonly string[]) => {
    const { code, out, err } = await ask(...words, '--json');
    assert.equal(code, 0, err);
    return JSON.parse(out);
  };
  const specFile = async (runId: string, changes: object = {}) => {
    const path = join(directory, `${runId}.json`);
    await writeFile(path, JSON.stringify({ ...SPEC, runId, ...changes }));
    return path;
  };
  const create = async (runId: string) => askJson('create', await specFile(runId));
  /** Resolves when so many adapters of a run are published. */
  const published = async (runId: string, count: number) => {
    for await (const run of client.watchRun(runId, new AbortController().signal, 'withoutCohort'))
      if (run.published.length >= count) return;
    assert.fail(`run ${runId} ended before it had published ${count} adapters`);
  };
  /** Its initial adapter is there. */
  const created = async (runId: string) => {
    await create(runId);
    await published(runId, 1);
  };

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), 'flexlora-run-'));
    platform = await createPlatform(
      { kernel: createPortableKernel(), clock: systemClock, logger: silentLogger, random: Math.random },
      { redisUrl: null, s3: null, directory, aggregators: 1 },
    );
    const server = { target: platform.target, tls: null };
    client = createRunClient(server, { clock: systemClock, random: Math.random }, PERSON_PATIENCE);
  });
  after(async () => {
    client.close();
    await platform.stop();
    await rm(directory, { recursive: true });
  });

  test('create takes what get shows, with what was left out filled in by the server', async () => {
    const run = await create('created');
    assert.equal(run.run_id, 'created');
    assert.equal(run.outcome, null);
    assert.equal(run.spec.rank.policy, 'deadline-fit');
    assert.equal(run.spec.cohort.overSelection, 1.3);
    const shown = join(directory, 'shown.json');
    await writeFile(shown, JSON.stringify((await askJson('get', 'created')).spec));
    const again = await askJson('create', shown);
    assert.deepEqual(again.spec, run.spec, 'the same specification is the same run');
  });

  test('create names every problem of the file before it asks', async () => {
    const path = await specFile('wrong', { rounds: 'three', cohort: { goal: 2, minimum: 2, late: 'later' }, round: 3 });
    const { code, err } = await ask('create', path);
    assert.equal(code, 1);
    assert.match(err, /rounds is "three"; allowed: a whole number/);
    assert.match(err, /cohort\.late is "later"; allowed: "refuse", "carry"/);
    assert.match(err, /the document has "round"; allowed: an object with runId, baseModel/);
  });

  test('create passes on what the server refuses', async () => {
    const { code, err } = await ask('create', await specFile('refused', { cohort: { goal: 2, minimum: 3 } }));
    assert.equal(code, 1);
    assert.match(err, /run refused cannot be created: cohort\.minimum is 3; allowed: a whole number from 1 to 2/);
  });

  test('a file that is not there is told with its path', async () => {
    const { code, err } = await ask('create', join(directory, 'nowhere.json'));
    assert.equal(code, 1);
    assert.match(err, /open .*nowhere\.json failed/);
  });

  test('list shows every run in a table', async () => {
    await create('listed-a');
    await create('listed-b');
    const { code, out } = await ask('list');
    assert.equal(code, 0);
    assert.match(out, /^run +phase +round +ready +enrolled +standing\n/);
    assert.match(out, /^listed-a +/m);
    assert.match(out, /^listed-b +/m);
  });

  test('pause says why in the standing, resume ends it', async () => {
    await created('paused');
    const { out } = await ask('pause', 'paused', '--reason', 'the disks are being exchanged');
    assert.match(out, /^paused: paused, recruiting, round 1 of 3: .*the disks are being exchanged/);
    assert.equal((await askJson('get', 'paused')).waiting_for, 'resume');
    assert.equal((await askJson('resume', 'paused')).paused, false);
  });

  test('get tells published adapters with their digests', async () => {
    await created('shown');
    const run = await askJson('get', 'shown');
    assert.match(run.published[0].adapter_digest, /^[0-9a-f]{64}$/);
    const { out } = await ask('get', 'shown');
    assert.match(out, /^adapter +published +updates/m);
    assert.ok(out.includes(run.published[0].adapter_digest.slice(0, 12)));
  });

  test('rollback of a run with nothing to go back to says what there is', async () => {
    await created('rolled');
    const { code, err } = await ask('rollback', 'rolled', '--to', '0', '--reason', 'it diverged');
    assert.equal(code, 1);
    assert.match(err, /cannot be rolled back to round 0: to_round is 0; allowed: none yet, the run has published one/);
  });

  test('fork begins with the adapter of the origin, with the changes that were asked for', async () => {
    await created('origin');
    const changes = join(directory, 'changes.json');
    await writeFile(changes, JSON.stringify({ cohort: { goal: 1, minimum: 1 } }));
    const words = ['--from', '0', '--as', 'forked', '--rounds', '7', '--changes', changes];
    const run = await askJson('fork', 'origin', ...words);
    assert.equal(run.run_id, 'forked');
    assert.equal(run.spec.rounds, 7);
    assert.equal(run.spec.cohort.goal, 1);
    assert.equal(run.spec.origin.runId, 'origin');
    await published('forked', 1);
    const [fork, origin] = [await askJson('get', 'forked'), await askJson('get', 'origin')];
    assert.equal(fork.published[0].adapter_digest, origin.published[0].adapter_digest);
  });

  test('retry of a run that cannot be retried says why', async () => {
    await created('ended');
    await ask('cancel', 'ended', '--reason', 'enough');
    const { code, err } = await ask('retry', 'ended');
    assert.equal(code, 1);
    assert.match(err, /^flexlora run retry: the round of run ended cannot be tried again: .*cancelled/);
  });

  test('watch ends with the run, and fails when it did not complete', async () => {
    await created('watched');
    const watched = ask('watch', 'watched');
    await ask('cancel', 'watched', '--reason', 'enough');
    const { code, out, err } = await watched;
    assert.equal(code, 1);
    assert.match(out, /^watched: settled, .*enough/m);
    assert.match(err, /run watched cancelled: .*enough/);
  });

  test('agents shows nobody where nobody enrolled', async () => {
    await create('empty');
    assert.equal((await ask('agents', 'empty')).out, 'no agents\n');
    assert.deepEqual(await askJson('agents', 'empty'), []);
  });

  test('a run that is not there is refused in the words of the server', async () => {
    const { code, err } = await ask('get', 'nowhere');
    assert.equal(code, 1);
    assert.match(err, /run nowhere cannot be shown: there is no run nowhere; allowed: a run that ListRuns shows/);
  });
});

describe('flexlora run, wrong words', () => {
  const cases: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['no verb', [], /usage: flexlora run <verb>/],
    ['another verb', ['stop'], /there is no verb "stop"; allowed: create, get,/],
    ['no run', ['get', '--server', 'a:1'], /<run> missing; needed: <run>/],
    [
      'a word too many',
      ['get', 'a', 'b', '--server', 'a:1'],
      /there is "b", which has no meaning here; allowed: <run>/,
    ],
    ['no server', ['get', 'a'], /--server is missing, and FLEXLORA_ORCHESTRATOR is not set; allowed: host:port/],
    ['a server without a port', ['get', 'a', '--server', 'a'], /--server is "a"; allowed: host:port/],
    ['no round', ['rollback', 'a', '--server', 'a:1'], /--to is missing; needed: --to ROUND/],
    ['a round that is no number', ['rollback', 'a', '--to', 'x', '--server', 'a:1'], /--to is "x"; allowed: a whole/],
    ['no name of the fork', ['fork', 'a', '--from', '1', '--server', 'a:1'], /--as is missing; needed: --as NEW/],
    ['an option of another verb', ['get', 'a', '--reason', 'x'], /Unknown option '--reason'/],
  ];
  for (const [what, words, message] of cases) {
    test(`${what} is wrong usage`, async () => {
      const { code, err } = await command(words);
      assert.equal(code, 2);
      assert.match(err, message);
    });
  }

  test('every verb tells its own words', async () => {
    for (const verb of [
      'create',
      'get',
      'list',
      'watch',
      'pause',
      'resume',
      'cancel',
      'retry',
      'rollback',
      'fork',
      'agents',
    ]) {
      const { code, out } = await command([verb, '--help']);
      assert.equal(code, 0);
      assert.ok(out.startsWith(`usage: flexlora run ${verb}`), out);
      assert.match(out, /--server host:port/);
    }
  });

  test('a server that is not there is told with its address and what to do', async () => {
    const { code, err } = await command(['get', 'a'], { FLEXLORA_ORCHESTRATOR: '127.0.0.1:1' });
    assert.equal(code, 1);
    assert.match(err, /run a cannot be shown: 127\.0\.0\.1:1 did not answer .*start an orchestrator there/);
  });
});
