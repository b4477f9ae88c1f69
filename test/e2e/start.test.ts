import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { reportIn, startCli } from './cli-process.ts';

const scratch = mkdtempSync(join(tmpdir(), 'flexlora-start-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const digestOf = (adapterDir: string): string =>
  createHash('sha256')
    .update(readFileSync(join(adapterDir, 'adapter_model.safetensors')))
    .digest('hex');

describe('flexlora start', () => {
  test('trains over agents of unequal ranks, and the same seed gives the same adapter', async () => {
    const federate = async (folder: string, seed: string) => {
      const args = [
        'start',
        '--json',
        '--agents',
        '3',
        '--rounds',
        '2',
        '--seed',
        seed,
        '--out',
        join(scratch, folder),
      ];
      const { code, stdout, stderr } = await startCli(args).ended;
      assert.equal(code, 0, stderr);
      return reportIn(stdout);
    };
    const first = await federate('first', '7');
    assert.deepEqual(
      first.rounds.map(({ round, updates }) => [round, updates]),
      [
        [1, 3],
        [2, 3],
      ],
    );
    for (const { held_out_loss } of first.rounds)
      assert.ok(held_out_loss < first.base_loss, `${held_out_loss} is not below the base's ${first.base_loss}`);
    assert.ok(Object.keys(first.by_rank).length >= 2, `ranks in use: ${Object.keys(first.by_rank)}`);
    const last = first.rounds.at(-1)?.held_out_loss;
    assert.equal(first.by_rank['32'], last, 'the last adapter cut to the largest rank is the last adapter');
    for (const { why } of first.agents) assert.match(why, /^rank \d+: memory allows/);
    assert.equal(JSON.parse(readFileSync(join(first.adapter_dir, 'adapter_config.json'), 'utf8')).peft_type, 'LORA');

    const again = await federate('again', '7');
    assert.equal(digestOf(again.adapter_dir), digestOf(first.adapter_dir));
    assert.deepEqual(again.by_rank, first.by_rank);
    const other = await federate('other', '8');
    assert.notEqual(digestOf(other.adapter_dir), digestOf(first.adapter_dir));
  });

  test('Ctrl-C stops it cleanly, also when it comes twice at once, and says so with the exit code', async () => {
    const cli = startCli(['start', '--agents', '3', '--rounds', '50', '--out', join(scratch, 'stopped')]);
    await cli.line(/round 1: site-\w+ trains at rank/);
    // A launcher or npm passes on what the terminal has told the whole group already.
    cli.signal('SIGINT');
    cli.signal('SIGTERM');
    const { code, stdout, stderr } = await cli.ended;
    assert.equal(code, 130, stderr);
    assert.match(stderr, /flexlora start: stopped\n$/);
    assert.equal(stdout, '');
  });

  test('wrong options are named with what is allowed, and nothing is begun', async () => {
    const full = join(scratch, 'full');
    mkdirSync(full);
    writeFileSync(join(full, 'precious'), '');
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [['--agents', '14'], /--agents is "14"; allowed: a whole number from 2 to 13/],
      [['--rounds', '0'], /--rounds is "0"; allowed: a whole number from 1 to 100/],
      [['--seed', 'x'], /--seed is "x"; allowed: a whole number from 0 to 2147483647/],
      [['--redis', 'http://x'], /--redis is "http:\/\/x"; allowed: a URL that begins with redis:\/\/ or rediss:\/\//],
      [['--s3', 'nowhere'], /--s3 is "nowhere"; allowed: a URL that begins with http:\/\/ or https:\/\//],
      [['--out', full], /has files in it; allowed: a folder that is absent or empty/],
      [['--round', '2'], /Unknown option '--round'.*flexlora start --help/s],
    ];
    for (const [args, message] of wrong) {
      const { code, stdout, stderr } = await startCli(['start', ...args], { cwd: scratch }).ended;
      assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
      assert.match(stderr, message);
      assert.equal(stdout, '');
    }
    assert.equal(readFileSync(join(full, 'precious'), 'utf8'), '');
  });

  test('a folder that cannot be written is told in a sentence, not with a stack', async () => {
    const folder = join(scratch, 'no-folder');
    mkdirSync(folder);
    writeFileSync(join(folder, 'out'), 'a file');
    for (const args of [[], ['--out', join(folder, 'out', 'adapter')], ['--out', join(folder, 'out')]]) {
      const { code, stdout, stderr } = await startCli(['start', ...args], { cwd: folder }).ended;
      assert.equal(code, 1, stderr);
      assert.match(stderr, /^flexlora start: (mkdir|scandir) .*out.* failed: .*; needed: a folder that can be written/);
      assert.doesNotMatch(stderr, /\n {4}at /);
      assert.equal(stdout, '');
    }
  });

  test('a store that is not there is named, with what to do', async () => {
    const out = join(scratch, 'unreachable');
    const { code, stderr } = await startCli(['start', '--redis', 'redis://127.0.0.1:1', '--out', out]).ended;
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Redis/);
  });
});
