import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { after, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import {
  createS3ObjectStore,
  ensureS3Bucket,
  type ObjectStore,
  ObjectStoreFault,
  PART_BYTES_MIN,
  type S3ObjectStoreOptions,
} from '@flexlora/stores';
import { type MinioServer, startMinio } from '../../harness/containers/minio-server.ts';
import { openAnsweringProxy } from '../../harness/proxy/answering-proxy.ts';
import { openFaultProxy } from '../../harness/proxy/fault-proxy.ts';

const minio = await startMinio({ use: 'own' });
if ('skip' in minio) {
  test('object store: faults of S3', { skip: minio.skip }, () => {});
} else {
  after(() => minio.stop());
  describe('object store: faults of S3', { timeout: 180_000 }, () => faultTests(minio));
}

function faultTests(minio: MinioServer): void {
  const { region, bucket, accessKeyId, secretAccessKey } = minio;
  const newName = (): string => `faults/${randomUUID()}`;
  const text = (bytes: Uint8Array | null): string | null => (bytes === null ? null : new TextDecoder().decode(bytes));
  const bytes = new TextEncoder().encode('committed');
  const isConditionalPut = ({ method, headers }: IncomingMessage): boolean =>
    method === 'PUT' && headers['if-none-match'] === '*';

  async function withStore(
    play: (store: ObjectStore) => Promise<void>,
    options: Partial<S3ObjectStoreOptions> & { readonly port?: number } = {},
  ): Promise<void> {
    const { port = minio.port, ...more } = options;
    const endpoint = `http://127.0.0.1:${port}`;
    const store = createS3ObjectStore({
      ...{ endpoint, region, bucket, credentials: { accessKeyId, secretAccessKey } },
      ...more,
    });
    try {
      await play(store);
    } finally {
      await store.close();
    }
  }

  const faultsWith = (pattern: RegExp) => (error: unknown) => {
    assert.ok(error instanceof ObjectStoreFault, `an ObjectStoreFault, not ${error}`);
    assert.match(error.message, pattern);
    return true;
  };

  async function readAll(store: ObjectStore, name: string, onPiece: () => unknown = () => {}): Promise<void> {
    for await (const _ of store.read(name)) await onPiece();
  }

  async function eventually(what: string, ask: () => Promise<unknown>): Promise<void> {
    let last: unknown;
    for (let poll = 0; poll < 500; poll += 1) {
      try {
        await ask();
        return;
      } catch (error) {
        last = error;
        await delay(50);
      }
    }
    assert.fail(`never came true: ${what}; last: ${last}`);
  }

  test('while S3 is down every call faults, and afterwards objects and open uploads are as they were', () =>
    withStore(async (store) => {
      const name = newName();
      const part = new Uint8Array(PART_BYTES_MIN).fill(7);
      await store.put(name, bytes);
      const token = await store.beginUpload(`${name}-upload`);
      await store.writePart(`${name}-upload`, token, 1, part);
      await store.put(`${name}-large`, new Uint8Array(20 << 20));

      let isKilled = false;
      const reading = readAll(store, `${name}-large`, async () => {
        if (!isKilled) await minio.kill();
        isKilled = true;
      });
      await assert.rejects(reading, faultsWith(/did not read .*-large to its end/));
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.put(name, bytes),
        () => store.putIfAbsent(`${name}-new`, bytes),
        () => store.head(name),
        () => store.get(name),
        () => readAll(store, name),
        () => store.list('faults/')[Symbol.asyncIterator]().next(),
        () => store.delete(name),
        () => store.beginUpload(name),
        () => store.writePart(`${name}-upload`, token, 2, bytes),
        () => store.listParts(`${name}-upload`, token),
        () => store.completeUpload(`${name}-upload`, token),
        () => store.abortUpload(`${name}-upload`, token),
        () => store.checkReady(),
      ];
      await Promise.all(calls.map((call) => assert.rejects(call, faultsWith(/ECONNREFUSED.*check that S3 runs/))));

      await minio.restart();
      await eventually('the store is ready again', () => store.checkReady());
      assert.equal(text(await store.get(name)), 'committed');
      assert.deepEqual(await store.listParts(`${name}-upload`, token), [{ part: 1, bytes: PART_BYTES_MIN }]);
      assert.equal(await store.completeUpload(`${name}-upload`, token), true);
      assert.deepEqual(await store.head(`${name}-upload`), { bytes: PART_BYTES_MIN });
    }));

  test('a conditional put whose answer was lost still knows that the object is its own', async (t) => {
    const proxy = await openFaultProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const name = newName();
        await store.head(name);
        proxy.loseNextAnswer();
        assert.equal(await store.putIfAbsent(name, bytes), 'written');
        assert.equal(await store.putIfAbsent(name, bytes), 'exists');
        proxy.loseNextAnswer();
        assert.equal(await store.putIfAbsent(name, bytes), 'exists', 'another’s object is not taken for its own');
        assert.equal(text(await store.get(name)), 'committed');
      },
      { port: proxy.port },
    );
  });

  test('a completion whose answer was lost is a completion', async (t) => {
    const answering = await openAnsweringProxy(minio.port);
    t.after(() => answering.close());
    const proxy = await openFaultProxy(answering.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const name = newName();
        const token = await store.beginUpload(name);
        await store.writePart(name, token, 1, bytes);
        // The answer to the listing passes, the one to the first try of the completion is lost.
        let tries = 0;
        answering.answer({
          matches: ({ method, url }) => {
            if (method === 'POST' && url?.includes('uploadId=')) tries += 1;
            if (tries === 1) proxy.loseNextAnswer();
            return false;
          },
          status: 500,
          times: 1,
        });
        assert.equal(await store.completeUpload(name, token), true);
        assert.equal(tries, 2);
        assert.equal(text(await store.get(name)), 'committed');
      },
      { port: proxy.port },
    );
  });

  test('a conflict with another writer at work is tried again, and faults when it does not end', async (t) => {
    const proxy = await openAnsweringProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const conflict = { matches: isConditionalPut, status: 409, code: 'ConditionalRequestConflict' };
        proxy.answer({ ...conflict, times: 3 });
        const name = newName();
        assert.equal(await store.putIfAbsent(name, bytes), 'written');
        assert.equal(proxy.answered(), 3);
        proxy.answer({ ...conflict, times: 3 });
        assert.equal(await store.putIfAbsent(name, bytes), 'exists');
        proxy.answer({ ...conflict, times: Number.POSITIVE_INFINITY });
        await assert.rejects(store.putIfAbsent(newName(), bytes), faultsWith(/ConditionalRequestConflict/));
      },
      { port: proxy.port },
    );
  });

  test('an S3 that ignores conditions, or does not know them, is not ready', async (t) => {
    const proxy = await openAnsweringProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        proxy.answer({ matches: isConditionalPut, status: 200, times: 2 });
        await assert.rejects(store.checkReady(), faultsWith(/written twice.*use an S3 that has conditional writes/));
        proxy.answer({ matches: isConditionalPut, status: 501, code: 'NotImplemented', times: 100 });
        await assert.rejects(store.checkReady(), faultsWith(/NotImplemented.*use an S3 that has this operation/));
        proxy.answer({ matches: () => false, status: 500, times: 0 });
        await store.checkReady();
      },
      { port: proxy.port },
    );
  });

  test('a busy S3 is asked again a few times, then it is a fault', async (t) => {
    const proxy = await openAnsweringProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const name = newName();
        proxy.answer({ matches: ({ method }) => method === 'PUT', status: 503, code: 'SlowDown', times: 2 });
        await store.put(name, bytes);
        assert.equal(proxy.answered(), 2);
        proxy.answer({ matches: ({ method }) => method === 'PUT', status: 503, code: 'SlowDown', times: 100 });
        await assert.rejects(store.put(name, bytes), faultsWith(/SlowDown.*try again later/));
        assert.equal(proxy.answered(), 5);
      },
      { port: proxy.port, triesMax: 3 },
    );
  });

  test('a stream that is cut half-way is a fault, never a short object', async (t) => {
    const proxy = await openFaultProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const name = newName();
        await store.put(name, new Uint8Array(20 << 20));
        await assert.rejects(
          readAll(store, name, () => proxy.cutConnections()),
          faultsWith(/did not read .* to its end/),
        );
        assert.equal((await store.get(name))?.length, 20 << 20);
      },
      { port: proxy.port },
    );
  });

  test('an S3 that does not answer faults by its idle limit, and the next call uses a new connection', async (t) => {
    const proxy = await openFaultProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const name = newName();
        await store.put(name, bytes);
        proxy.freezeConnections();
        await assert.rejects(store.get(name), faultsWith(/300 ms of inactivity.*nothing moved for too long/));
        assert.equal(text(await store.get(name)), 'committed');
      },
      { port: proxy.port, idleTimeoutMs: 300, triesMax: 1 },
    );
  });

  test('no more connections are opened than allowed, however many calls there are and however large their bodies', async (t) => {
    const proxy = await openFaultProxy(minio.port);
    t.after(() => proxy.close());
    await withStore(
      async (store) => {
        const large = new Uint8Array(3 << 20);
        await Promise.all(Array.from({ length: 16 }, () => store.put(newName(), large)));
        await Promise.all(Array.from({ length: 40 }, () => store.put(newName(), bytes)));
        assert.equal(proxy.connectionsMost(), 4);
      },
      { port: proxy.port, connectionsMax: 4, connectTimeoutMs: 60_000 },
    );
  });

  test('a wrong bucket and wrong keys say so', async () => {
    const missing = { bucket: 'no-such-bucket-here' };
    await withStore(async (store) => {
      await assert.rejects(store.checkReady(), faultsWith(/no bucket no-such-bucket-here; create it/));
      await assert.rejects(store.put(newName(), bytes), faultsWith(/NoSuchBucket.*create the bucket/));
      await assert.rejects(store.get(newName()), faultsWith(/NoSuchBucket/));
    }, missing);
    await withStore(
      async (store) => assert.rejects(store.put(newName(), bytes), faultsWith(/SignatureDoesNotMatch.*secret key/)),
      { credentials: { accessKeyId, secretAccessKey: 'wrong-secret' } },
    );
    await withStore(
      async (store) => assert.rejects(store.put(newName(), bytes), faultsWith(/InvalidAccessKeyId.*access key/)),
      { credentials: { accessKeyId: 'nobody', secretAccessKey } },
    );
  });

  test('a bucket is made once', async () => {
    const options = {
      ...{ endpoint: minio.endpoint, region, bucket: `made-${randomUUID()}` },
      credentials: { accessKeyId, secretAccessKey },
    };
    assert.equal(await ensureS3Bucket(options), 'created');
    assert.equal(await ensureS3Bucket(options), 'exists');
  });
}
