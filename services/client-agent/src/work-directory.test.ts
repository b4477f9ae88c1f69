import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRefusal, parseSha256 } from '@flexlora/core';
import { silentLogger } from '@flexlora/runtime';
import { createNodeDisk } from './disk/node-disk.ts';
import type { FinishedUpdate } from './finished-update.ts';
import { ADAPTERS_KEPT, UPDATES_WAITING_MAX } from './limits.ts';
import { openWorkDirectory, UPDATE_FILE, versionName, type WorkDirectory } from './work-directory.ts';

async function withDirectory(body: (open: () => Promise<WorkDirectory>, root: string) => Promise<void>): Promise<void> {
  const path = await mkdtemp(join(tmpdir(), 'flexlora-work-'));
  try {
    const open = () =>
      openWorkDirectory({ path, runId: 'r1', agentId: 'a1' }, { disk: createNodeDisk(), logger: silentLogger });
    await body(open, join(path, 'r1', 'a1'));
  } finally {
    await rm(path, { recursive: true });
  }
}

function finished(round: number): FinishedUpdate {
  const sha256 = parseSha256('sha256', 'c'.repeat(64));
  assert.ok(!isRefusal(sha256));
  const madeFor = { adapterVersion: round - 1, ranks: { attention: 4 }, seed: 7 };
  return { version: 1, round, handout: 0, madeFor, bytes: 5, sha256, samples: 3, loss: null, upload: null };
}

async function train(work: WorkDirectory, round: number): Promise<void> {
  const path = await work.trainingPath(round);
  await mkdir(path);
  await writeFile(join(path, UPDATE_FILE), 'bytes');
}

async function finish(work: WorkDirectory, round: number): Promise<void> {
  await train(work, round);
  await work.keepUpdate(finished(round));
}

test('a finished update and its upload survive a restart; a training under way does not', async () => {
  await withDirectory(async (open, root) => {
    const work = await open();
    await finish(work, 9);
    await finish(work, 10);
    const sent = { ...finished(10), upload: { uploadId: 'u', chunkBytesMax: 100 } };
    await work.saveUpdate(sent);
    await train(work, 11);

    const reopened = await open();
    assert.deepEqual(await reopened.updatesWaiting(), [finished(9), sent]);
    assert.deepEqual(await readdir(join(root, 'training')), []);
    await reopened.dropUpdate(9);
    assert.deepEqual(await (await open()).updatesWaiting(), [sent]);
  });
});

test('an update that is not whole is swept: a journal cut off, a file cut off, a journal missing', async () => {
  await withDirectory(async (open, root) => {
    const work = await open();
    for (const round of [1, 2, 3, 4]) await finish(work, round);
    const updates = join(root, 'updates');
    await truncate(join(updates, 'round-00000001', 'journal.json'), 20);
    await truncate(join(updates, 'round-00000002', UPDATE_FILE), 4);
    await rm(join(updates, 'round-00000003', 'journal.json'));
    assert.deepEqual(await (await open()).updatesWaiting(), [finished(4)]);
    assert.deepEqual(await readdir(updates), ['round-00000004']);
  });
});

test('no more updates wait than a bounded number: the newest', async () => {
  await withDirectory(async (open) => {
    const work = await open();
    const rounds = Array.from({ length: UPDATES_WAITING_MAX + 2 }, (_, index) => index + 1);
    for (const round of rounds) await finish(work, round);
    const waiting = await (await open()).updatesWaiting();
    assert.deepEqual(
      waiting.map(({ round }) => round),
      rounds.slice(-UPDATES_WAITING_MAX),
    );
  });
});

test('old adapters are swept; the one in use stays, also when it is older than the others', async () => {
  await withDirectory(async (open, root) => {
    const work = await open();
    const keep = async (version: number): Promise<void> => {
      const key = `${versionName(version)}-aaaaaaaa`;
      const made = join(await work.downloadPath(key), 'peft');
      await mkdir(made);
      await work.keepAdapter(key, made);
    };
    for (const version of [10, 11, 12]) await keep(version);
    await keep(3);
    const kept = (await readdir(join(root, 'adapters'))).filter((name) => !name.endsWith('.part'));
    assert.equal(kept.length, ADAPTERS_KEPT);
    assert.ok(kept.includes(`${versionName(3)}-aaaaaaaa`));
    assert.ok(kept.includes(`${versionName(12)}-aaaaaaaa`));
    const parts = (await readdir(join(root, 'adapters'))).filter((name) => name.endsWith('.part'));
    assert.equal(parts.length, 1);
  });
});
