import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { isRefusal } from '@flexlora/core';
import { loadKernel } from '@flexlora/kernel';
import { AS_EVER, MIX, temporaryDirectory, writeFixture } from './adapter-fixture.ts';
import { checkOut, createAdapterWriter } from './adapter-writer.ts';
import { aggregateAdapters } from './aggregate-adapters.ts';

const { kernel } = loadKernel({ prefer: 'portable' });
const MODULES = [{ name: 'layer', out: 2, in: 2, rank: 1 }];

describe('checkOut', () => {
  it('refuses a symbolic link before any work: it was found out when all of it was done', async (test) => {
    const home = await temporaryDirectory(test);
    await mkdir(join(home, 'target'));
    await symlink('target', join(home, 'link'));
    await symlink('nowhere', join(home, 'dangling'));
    for (const out of [join(home, 'link'), `${join(home, 'link')}/`, join(home, 'dangling')]) {
      const answer = await checkOut(out);
      assert.ok(isRefusal(answer), out);
      assert.equal(
        answer.message,
        `${out}: --out is a symbolic link; allowed: an absent or empty directory: name its target`,
      );
    }
    assert.equal(await checkOut(join(home, 'target')), null);
  });
});

describe('createAdapterWriter', () => {
  it('makes the folders above its place, and removes those that it made', async (test) => {
    const home = await temporaryDirectory(test);
    await mkdir(join(home, 'there'));
    const writer = await createAdapterWriter(join(home, 'there', 'a', 'b', 'out'), MODULES);
    assert.ok(!isRefusal(writer));
    assert.deepEqual(await readdir(join(home, 'there', 'a')), ['b']);
    await writer.discard();
    assert.deepEqual(await readdir(home, { recursive: true }), ['there']);
  });

  it('refuses a place whose folders cannot be made, by the path that failed, and removes the others', async (test) => {
    const home = await temporaryDirectory(test);
    await writeFile(join(home, 'file'), '');
    // A name that no file system takes, below a folder that could be made.
    const long = 'x'.repeat(300);
    for (const [out, failed] of [
      [join(home, 'new', long, 'out'), long],
      [join(home, 'file', 'a', 'out'), 'file'],
    ] as const) {
      const answer = await createAdapterWriter(out, MODULES);
      assert.ok(isRefusal(answer), out);
      assert.match(answer.message, new RegExp(`--out cannot be made, because of .*${failed}`));
      assert.deepEqual(await readdir(home), ['file']);
    }
  });

  it('refuses a place in /proc, where it waited for ever', {
    skip: process.platform === 'linux' ? false : 'there is no /proc here',
  }, async (test) => {
    const home = await temporaryDirectory(test);
    const answer = await aggregateAdapters(
      {
        updates: [{ directory: await writeFixture(join(home, 'site'), MIX[0]!), samples: 1 }],
        rank: 2,
        alpha: 2,
        strategy: 'flexlora',
        svdSplit: 'b',
        ...AS_EVER,
        out: '/proc/no-such/out',
      },
      { kernel },
    );
    assert.ok(isRefusal(answer));
    assert.match(answer.message, /^\/proc\/no-such\/out: --out cannot be made, because of \/proc\/no-such \(E/);
  });
});
