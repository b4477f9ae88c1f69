import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createPortableKernel, type Kernel, type KernelMethod, loadKernel } from '@flexlora/kernel';
import { benchRegret } from './bench-regret.ts';
import { parseKernelBenchArguments } from './kernel-options.ts';
import { regretCases } from './regret-cases.ts';
import { regretTable } from './regret-table.ts';

const cases = regretCases(16, 'flat');

/** The same kernel with a planner of one idea. */
function alwaysPlanning(kernel: Kernel, method: KernelMethod): Kernel {
  return { ...kernel, beginSum: (request) => kernel.beginSum({ method, ...request }) };
}

describe('the regret of the planner', () => {
  it('compares every method that a kernel has and that applies', async () => {
    for (const kernel of [loadKernel().kernel, createPortableKernel()]) {
      const all: readonly KernelMethod[] =
        kernel.name === 'native'
          ? ['stacked', 'factored', 'accumulated', 'dense']
          : ['stacked', 'accumulated', 'dense'];
      const reports = await benchRegret(cases, { repeats: 2 }, { kernel });
      assert.deepEqual(
        reports.map(({ rank, rankSum }) => [rank, rankSum]),
        [4, 16].flatMap((rank) => [4, 16, 64].map((rankSum) => [rank, rankSum])),
      );
      for (const { rankSum, methods, planned, regret } of reports) {
        assert.deepEqual(
          methods.map(({ method }) => method),
          all.filter((method) => method !== 'stacked' || rankSum < 16),
        );
        const secondsOf = new Map(methods.map(({ method, seconds }) => [method, seconds]));
        assert.equal(regret, secondsOf.get(planned)! / Math.min(...secondsOf.values()));
        assert.ok(regret >= 1 && methods.every(({ seconds, forecastSeconds }) => seconds > 0 && forecastSeconds > 0));
      }
    }
  });

  it('is charged to the method that was planned, and found in the table', async () => {
    const kernel = alwaysPlanning(createPortableKernel(), 'dense');
    const reports = await benchRegret(cases.slice(0, 2), { repeats: 1 }, { kernel });
    assert.deepEqual(
      reports.map(({ planned }) => planned),
      ['dense', 'dense'],
    );
    const lines = regretTable(reports).split('\n');
    assert.equal(lines.length, 2 + reports.length);
    for (const [i, { rankSum, regret }] of reports.entries()) {
      const cells = lines[2 + i]!.split('|').map((cell) => cell.trim());
      assert.deepEqual(cells.slice(1, 5), ['16', 'flat', '4', `${rankSum}`]);
      assert.deepEqual(cells.slice(-3, -1), ['dense', regret.toFixed(2)]);
      // The second sum has too many ranks to be stacked.
      assert.equal(cells[5] === '–', i === 1);
    }
  });

  it('is asked for by an option, at sizes of its own', () => {
    const { compares, cases: asked } = parseKernelBenchArguments(['--regret'])!;
    assert.equal(compares, 'methods');
    assert.deepEqual([...new Set(asked.map(({ out }) => out))], [64, 128, 256, 512, 1024]);
    const small = parseKernelBenchArguments(['--regret', '--sizes', '32', '--spectra', 'flat'])!;
    assert.deepEqual(small.cases, regretCases(32, 'flat'));
    assert.equal(parseKernelBenchArguments(['--quick'])!.compares, 'reference');
  });
});
