import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { MIX, temporaryDirectory, writeFixture } from './adapter-fixture.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/flexlora.mjs', import.meta.url));
/** The process is ended after this: a run here takes about a second. */
const RUN_MS_MAX = 60_000;

async function flexlora(...args: readonly string[]) {
  const child = spawn(process.execPath, [LAUNCHER, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: RUN_MS_MAX,
  });
  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
  return { stdout, stderr, code };
}

describe('flexlora aggregate', () => {
  it('prints one JSON document with --json, and a table without', async (test) => {
    const home = await temporaryDirectory(test);
    const sites = await Promise.all(MIX.map((fixture, k) => writeFixture(join(home, `site-${k}`), fixture)));
    const updates = sites.flatMap((site, k) => ['--update', `${site}=${k + 1}`]);
    const json = await flexlora('aggregate', ...updates, '--rank', '4', '--out', join(home, 'json'), '--json');
    assert.equal(json.code, 0, json.stderr);
    const report = JSON.parse(json.stdout);
    assert.deepEqual(Object.keys(report.modules[0]), [
      'name',
      'out',
      'in',
      'rank',
      'rank_sum',
      'method',
      'fallback_from',
      'converged',
      'blocks',
      'excess',
      'energy_kept',
      'energy_total',
      'energy_total_error',
      'residual',
      'scratch_bytes',
      'seconds',
    ]);
    assert.deepEqual(Object.keys(report.phases), ['check', 'read', 'sum', 'write']);
    const spent = Object.values<number>(report.phases);
    assert.ok(spent.every((seconds) => seconds > 0));
    assert.ok(spent.reduce((sum, seconds) => sum + seconds, 0) <= report.seconds);
    assert.deepEqual([report.tolerance, report.excess_max >= 0, report.modules[0].converged], [1.001, true, true]);
    assert.deepEqual([report.updates, report.samples, report.rank], [3, 6, 4]);

    const table = await flexlora('aggregate', ...updates, '--rank', '4', '--out', join(home, 'table'));
    assert.equal(table.code, 0, table.stderr);
    assert.match(table.stdout, /module +shape +rank +rank sum/);
    assert.match(table.stdout, /q_proj +12 × 9 +4 +11/);
    assert.match(table.stdout, /3 adapters, 6 samples, flexlora/);
    assert.deepEqual((await readdir(join(home, 'table'))).sort(), ['adapter_config.json', 'adapter_model.safetensors']);
  });

  it('takes how exact, by which method and with how much of the machine', async (test) => {
    const home = await temporaryDirectory(test);
    const site = await writeFixture(join(home, 'site'), MIX[0]!);
    const wanted = ['--update', `${site}=1`, '--rank', '2', '--json'];
    const asked = ['--tolerance', 'exact', '--method', 'dense', '--threads', '2', '--memory', '64MiB'];
    const { stdout, stderr, code } = await flexlora('aggregate', ...wanted, '--out', join(home, 'out'), ...asked);
    assert.equal(code, 0, stderr);
    const report = JSON.parse(stdout);
    assert.equal(report.tolerance, 1.000001);
    assert.deepEqual(
      report.modules.map(({ method }: { readonly method: string }) => method),
      ['dense', 'dense'],
    );
  });

  it('exits with 1 for refused input, with one sentence and nothing on standard output', async (test) => {
    const home = await temporaryDirectory(test);
    const site = await writeFixture(join(home, 'site'), MIX[0]!);
    await rm(join(site, 'adapter_config.json'));
    const { stdout, stderr, code } = await flexlora(
      'aggregate',
      '--update',
      `${site}=1`,
      '--rank',
      '2',
      '--out',
      join(home, 'out'),
      '--json',
    );
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^flexlora aggregate: .*site: adapter_config\.json is missing; save/m);
    assert.deepEqual(await readdir(home), ['site']);
  });

  it('exits with 2 for wrong usage', async () => {
    const { stdout, stderr, code } = await flexlora('aggregate', '--rank', '2');
    assert.deepEqual([code, stdout], [2, '']);
    assert.match(stderr, /--update was given 0 times/);
  });

  it('prints help on standard output', async () => {
    const { stdout, code } = await flexlora('aggregate', '--help');
    assert.equal(code, 0);
    assert.match(stdout, /^usage: flexlora aggregate --update DIR=SAMPLES/);
  });
});

describe('flexlora', () => {
  it('lists its commands, and names them when it is given another', async () => {
    const help = await flexlora('--help');
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^ {2}aggregate +\S/m);
    const wrong = await flexlora('agregate');
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /there is no command "agregate"; allowed: .*aggregate/);
  });
});
