import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { startMinio } from '../../harness/containers/minio-server.ts';
import { UsageError } from '../arguments.ts';
import { benchTransfer } from './bench-transfer.ts';
import { makeSelfSigned } from './self-signed.ts';
import { WAYS_TO } from './transfer-case.ts';
import { parseTransferBenchArguments } from './transfer-options.ts';
import { transferPlot } from './transfer-plot.ts';

const parse = (...args: readonly string[]) => parseTransferBenchArguments(args);

test('every way moves every byte, both ways, with and without TLS', async (t) => {
  const certificate = makeSelfSigned();
  assert.ok(certificate !== null, 'openssl makes the certificate: put it on PATH');
  const options = parse('--far', 'sink', '--transfers', '2x1', '--round-trips', '0,2', '--tls', 'off,on');
  const surroundings = { repeats: 1, certificate, openS3: () => assert.fail('nothing goes to S3'), signal: t.signal };
  const reports = await benchTransfer(options?.cases ?? [], surroundings);
  assert.equal(reports.length, 8);
  for (const { ways, roundTripMs } of reports) {
    assert.deepEqual(
      ways.map(({ way, bytes }) => [way, bytes]),
      WAYS_TO.sink.map((way) => [way, way === 'stock' && roundTripMs > 0 ? 2 * 2 ** 18 : 2 * 2 ** 20]),
    );
    for (const { bytesPerSecond, serverPeakBytes } of ways) assert.ok(bytesPerSecond > 0 && serverPeakBytes! > 0);
  }
});

const minio = await startMinio({ use: 'own' });
if (!('skip' in minio)) after(() => minio.stop());

// Where S3 is required, `startMinio` throws instead of telling of a reason.
test('every way moves updates into S3, and adapters from there', { skip: 'skip' in minio && minio.skip }, async (t) => {
  assert.ok(!('skip' in minio));
  const options = parse('--far', 's3', '--transfers', '3x6');
  const surroundings = {
    repeats: 1,
    certificate: null,
    openS3: async () => ({ place: minio, close: async () => {} }),
    signal: t.signal,
  };
  const reports = await benchTransfer(options?.cases ?? [], surroundings);
  assert.deepEqual(
    reports.map(({ direction, ways }) => [direction, ways.map(({ way }) => way)]),
    [
      ['up', WAYS_TO.s3],
      ['down', WAYS_TO.s3],
    ],
  );
  assert.match(transferPlot(reports), /^<svg .*s3 up, 3 × 6 MiB, 0 ms/s);
});

test('wrong arguments say what is allowed', () => {
  for (const [args, message] of [
    [['--transfers', '1x0'], /--transfers is "0"; allowed: a whole number from 1 to 1024/],
    [['--transfers', '8'], /--transfers has "8"; allowed: COUNTxMIB/],
    [['--directions', 'sideways'], /allowed: up, down/],
    [['--tls', 'maybe'], /allowed: off, on/],
    [['--nonsense'], /nonsense/],
  ] as const) {
    assert.throws(
      () => parseTransferBenchArguments(args),
      (error) => error instanceof UsageError && message.test(error.message),
    );
  }
  assert.equal(parseTransferBenchArguments(['--help']), null);
});
