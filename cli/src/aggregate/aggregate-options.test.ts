import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SUM_METHODS, TOLERANCE_MIN, TOLERANCE_STANDARD } from '@flexlora/core';
import { KERNEL_METHODS, TOLERANCE, TOLERANCE_EXACT } from '@flexlora/kernel';
import { parseAggregateArguments } from './aggregate-options.ts';

const base = ['--update', 'a=3', '--rank', '4', '--out', 'o'];

describe('parseAggregateArguments', () => {
  it('reads directories with "=" in their names, and fills in what is usual', () => {
    const parsed = parseAggregateArguments(['--update', 'lr=1/a=3', ...base]);
    assert.deepEqual(parsed, {
      kind: 'arguments',
      options: {
        updates: [
          { directory: 'lr=1/a', samples: 3 },
          { directory: 'a', samples: 3 },
        ],
        rank: 4,
        out: 'o',
        strategy: 'flexlora',
        svdSplit: 'b',
        alpha: 4,
        tolerance: 1.001,
        method: null,
      },
      kernel: {},
      output: 'table',
    });
  });

  it('reads how exact, by which method and with how much of the machine', () => {
    const more = [
      '--tolerance',
      '1.5',
      '--method',
      'dense',
      '--kernel',
      'native',
      '--threads',
      '3',
      '--memory',
      '2GiB',
    ];
    const parsed = parseAggregateArguments([...base, ...more]);
    assert.ok(parsed.kind === 'arguments');
    assert.deepEqual([parsed.options.tolerance, parsed.options.method], [1.5, 'dense']);
    assert.deepEqual(parsed.kernel, { prefer: 'native', threads: 3, memoryBytes: 2 ** 31 });
  });

  it('has the kernel’s words for its bounds', () => {
    const parsed = parseAggregateArguments([...base, '--tolerance', 'exact', '--memory', '1536']);
    assert.ok(parsed.kind === 'arguments');
    assert.deepEqual([parsed.options.tolerance, parsed.kernel.memoryBytes], [TOLERANCE_EXACT, 1536]);
    assert.deepEqual([TOLERANCE_STANDARD, TOLERANCE_MIN], [TOLERANCE, TOLERANCE_EXACT]);
    assert.deepEqual(KERNEL_METHODS, SUM_METHODS);
  });

  const wrong: readonly [readonly string[], RegExp][] = [
    [['--rank', '4', '--out', 'o'], /--update was given 0 times; allowed: 1 to/],
    [['--update', 'a', '--rank', '4', '--out', 'o'], /--update is "a"; allowed: DIR=SAMPLES/],
    [['--update', '=3', '--rank', '4', '--out', 'o'], /--update is "=3"/],
    [['--update', 'a=-3', '--rank', '4', '--out', 'o'], /samples of --update a=-3 is "-3"; allowed: an integer from 0/],
    [['--update', 'a=1.5', '--rank', '4', '--out', 'o'], /is "1\.5"/],
    [['--update', 'a=', '--rank', '4', '--out', 'o'], /samples of --update a= is missing/],
    [
      ['--update', 'a=99999999999999999999', '--rank', '4', '--out', 'o'],
      /allowed: an integer from 0 to 9007199254740991/,
    ],
    [['--update', 'a=3', '--out', 'o'], /--rank is missing; allowed: an integer from 1 to 1024/],
    [[...base, '--rank', '0'], /--rank is "0"/],
    [[...base, '--rank', '1025'], /--rank is "1025"/],
    [['--update', 'a=3', '--rank', '4'], /--out is missing/],
    [
      [...base, '--strategy', 'flexlora-residual'],
      /--strategy is "flexlora-residual"; allowed: flexlora, fedavg, hetlora/,
    ],
    [[...base, '--svd-split', 'c'], /--svd-split is "c"; allowed: b, a, even/],
    [[...base, '--alpha', '0'], /--alpha is "0"; allowed: a number above 0/],
    [[...base, '--alpha', ''], /--alpha is ""/],
    // Each was taken, and gave a B of infinities, of digits lost below f32's normal range, of zeros, or a lora_alpha of null.
    ...['1e-45', '1e45', '1e300', '1e308', 'Infinity', 'NaN', '3e38', '2e-38'].map(
      (alpha): [readonly string[], RegExp] => [
        [...base, '--alpha', alpha],
        /--alpha is ".*"; allowed: a number above 0 that f32/,
      ],
    ),
    [[...base, '--kernel', 'gpu'], /--kernel is "gpu"; allowed: native, portable/],
    ...['1', '0.999', '2.1', 'NaN', '', 'Exact'].map((ratio): [readonly string[], RegExp] => [
      [...base, '--tolerance', ratio],
      /--tolerance is ".*"; allowed: exact, or a ratio from 1\.000001 to 2, such as 1\.001/,
    ]),
    [[...base, '--method', 'fast'], /--method is "fast"; allowed: stacked, factored, accumulated, dense/],
    [[...base, '--threads', '0'], /--threads is "0"; allowed: an integer from 1 to 1024/],
    ...['0', '-1', '1.5GiB', '2GB', 'GiB', '', '99999999TiB'].map((memory): [readonly string[], RegExp] => [
      [...base, `--memory=${memory}`],
      /--memory is ".*"; allowed: a whole number of bytes above 0, or of KiB, MiB, GiB or TiB, such as 2GiB/,
    ]),
    [[...base, '--unknown'], /^Unknown option '--unknown'; allowed: --update, --rank, --out, .*, --json, --help$/],
    [[...base, 'stray'], /^Unexpected argument 'stray'; allowed: --update, /],
    [[...base, 'out.d'], /^Unexpected argument 'out\.d'; allowed: /],
    [[...base, '--json=yes'], /--json' does not take an argument; allowed: --update, /],
    [['--update'], /--update <value>' argument missing; allowed: --update, /],
    [[...base, '--alpha', '-1'], /--alpha.*; allowed: --update, /],
  ];
  for (const [args, words] of wrong) {
    it(`says what is wrong with ${args.join(' ')}`, () => {
      const parsed = parseAggregateArguments(args);
      assert.ok(parsed.kind === 'usage' && parsed.problem !== null);
      assert.match(parsed.problem, words);
    });
  }
});
