import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChaosUsageError, parseChaosOptions } from './chaos-options.ts';

test('without options it is forty faults over three quarters as many rounds', () => {
  assert.deepEqual(parseChaosOptions([]), { faults: 40, rounds: 30, seed: 1, output: 'text', docs: 'leave' });
  assert.equal(parseChaosOptions(['--faults', '1'])?.rounds, 2);
  assert.equal(parseChaosOptions(['--help', '--faults', '9']), null);
});

test('wrong options are named with what is allowed', () => {
  const wrong: readonly (readonly [readonly string[], RegExp])[] = [
    [['--faults', '0'], /--faults is "0"; allowed: a whole number from 1 to 1000/],
    [['--rounds', '1.5'], /--rounds is "1\.5"; allowed/],
    [['--seed', '2147483648'], /--seed is "2147483648"; allowed: a whole number from 0 to 2147483647/],
    [['--fault', '1'], /Unknown option '--fault'.*--help/s],
  ];
  for (const [args, message] of wrong)
    assert.throws(
      () => parseChaosOptions(args),
      (error: unknown) => error instanceof ChaosUsageError && message.test(error.message),
    );
});
