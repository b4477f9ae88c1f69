import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../arguments.ts';
import { benchTransfer } from './bench-transfer.ts';
import { makeSelfSigned } from './self-signed.ts';
import { WAYS } from './transfer-case.ts';
import { parseTransferBenchArguments } from './transfer-options.ts';

test('every way moves every byte, both ways, with and without TLS', async (t) => {
  const certificate = makeSelfSigned();
  if (certificate === null) return t.skip('there is no openssl');
  const options = parseTransferBenchArguments([
    '--transfers',
    '2',
    '--mib',
    '1',
    '--round-trips',
    '0,2',
    '--tls',
    'off,on',
  ]);
  const reports = await benchTransfer(options?.cases ?? [], { repeats: 1, certificate, signal: t.signal });
  assert.equal(reports.length, 8);
  for (const { ways, roundTripMs } of reports) {
    assert.deepEqual(
      ways.map(({ way, bytes }) => [way, bytes]),
      WAYS.map((way) => [way, way === 'stock' && roundTripMs > 0 ? 2 * 2 ** 18 : 2 * 2 ** 20]),
    );
    for (const { bytesPerSecond, serverPeakBytes } of ways) assert.ok(bytesPerSecond > 0 && serverPeakBytes > 0);
  }
});

test('wrong arguments say what is allowed', () => {
  for (const [args, message] of [
    [['--mib', '0'], /--mib is "0"; allowed: a whole number from 1 to 1024/],
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
