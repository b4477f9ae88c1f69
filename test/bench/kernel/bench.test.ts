import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadKernel, TOLERANCE } from '@flexlora/kernel';
import { findPeftPython } from '../../harness/peft-python.ts';
import type { ClientMix } from '../factors/client-mix.ts';
import { describeMachine } from '../machine/describe-machine.ts';
import { benchKernel, type CaseReport, type KernelReport } from './bench-kernel.ts';
import { createDenseReference } from './dense-reference.ts';
import { type KernelCase, termsOf } from './kernel-case.ts';
import { parseKernelBenchArguments } from './kernel-options.ts';
import { kernelPlot } from './kernel-plot.ts';
import { kernelTable } from './kernel-table.ts';
import { createNumpyReference } from './numpy-reference.ts';
import { excessOf, type Reference, referenceSeconds } from './reference.ts';

/** Of float32 factors and of the oracle's rounding, where the method is exact. */
const ROUNDING = 1e-6;
const few: ClientMix = { name: 'few', clients: 3, cycle: [1, 3, 6] };
const many: ClientMix = { name: 'many', clients: 9, cycle: [2, 4, 8] };
const cases: readonly KernelCase[] = [
  { out: 24, in: 10, mix: few, spectrum: 'decay', rank: 12 },
  { out: 24, in: 20, mix: many, spectrum: 'decay', rank: 12 },
  { out: 20, in: 24, mix: many, spectrum: 'flat', rank: 12 },
];
const REPEATS = 3;
const { kernel } = loadKernel();

const oracle = createDenseReference({ form: 1, svd: 3 });
const peak = { operationsPerSecond: 1e9, threads: 1, measuredBy: 'the test' };
const measured = benchKernel(cases, { repeats: REPEATS }, { kernel, peak, reference: oracle });

describe('the kernel benchmark', () => {
  it('times every case and finds its excess within the tolerance, at every rank', async () => {
    const reports = await measured;
    assert.equal(reports.length, cases.length);
    for (const [i, report] of reports.entries()) {
      const { out, in: columns, mix, spectrum } = cases[i]!;
      assert.deepEqual(
        [report.out, report.in, report.mix, report.clients, report.spectrum],
        [out, columns, mix.name, mix.clients, spectrum],
      );
      assert.equal(report.rankSum, i === 0 ? 10 : 42);
      assert.ok(report.seconds.runs === REPEATS && report.seconds.min <= report.seconds.median);
      assert.ok(report.seconds.median <= report.seconds.max && report.addSeconds.median <= report.seconds.max);
      assert.equal(report.peakShare, report.operations / report.seconds.median / 1e9);
      assert.equal(report.speedup, 4 / report.seconds.median);
      assert.deepEqual(
        report.reference!.errors.map(({ rank }) => rank),
        i === 0 ? [8, 10] : [8, 12],
      );
      for (const error of report.reference!.errors) {
        const excess = excessOf(error);
        // W of the first case has 10 components: nothing is left to err on.
        assert.equal(excess === null, i === 0 && error.rank === 10, `${report.mix} at rank ${error.rank}`);
        if (excess !== null) assert.ok(excess >= -ROUNDING && excess <= TOLERANCE - 1 + ROUNDING, `excess ${excess}`);
        else assert.ok(error.relativeError < ROUNDING, `error ${error.relativeError}`);
      }
    }
  });

  it('sees an answer that is not the best', async () => {
    const wrong: Reference = {
      ...oracle,
      measure: (sum, repeats) => {
        const singularValues = sum.answer!.singularValues.map((value) => value * 0.9);
        return oracle.measure({ ...sum, answer: { ...sum.answer!, singularValues } }, repeats);
      },
    };
    const [report] = await benchKernel(cases.slice(1, 2), { repeats: 1 }, { kernel, peak: null, reference: wrong });
    assert.ok(report!.excess! > TOLERANCE - 1, `excess ${report!.excess}`);
    assert.equal(report!.peakShare, null);
  });

  it('writes a table and a plot in which every case is found', async () => {
    const report: KernelReport = {
      machine: describeMachine(),
      kernel: kernel.name,
      threads: 1,
      peak,
      reference: oracle.name,
      cases: await measured,
    };
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report);
    const lines = kernelTable(report).split('\n');
    for (const { out, in: columns, spectrum, rankSum, method } of report.cases) {
      const cells = [`${out} × ${columns}`, spectrum, `${rankSum}`, method];
      const row = lines.find((line) => cells.every((cell) => line.split('|').some((each) => each.trim() === cell)));
      assert.ok(row !== undefined, `no row with ${cells.join(', ')}:\n${lines.join('\n')}`);
    }
    const plot = kernelPlot(report.cases);
    // A mark for the kernel and one for the reference.
    assert.equal(plot.match(/<circle /g)?.length, 2 * cases.length);
    for (const text of ['24 × 10', '24 × 20', '20 × 24', 'decay', 'flat'])
      assert.ok(plot.includes(text), `no "${text}" in the plot`);
    assert.doesNotMatch(plot, /NaN|undefined|Infinity/);
  });

  it('plots and tabulates a run without a reference and with a single case', async () => {
    const reports = await benchKernel(cases.slice(0, 1), { repeats: 1 }, { kernel, peak: null, reference: null });
    const [{ excess, speedup, reference }] = reports as [CaseReport];
    assert.deepEqual([excess, speedup, reference], [null, null, null]);
    assert.doesNotMatch(kernelPlot(reports), /NaN|undefined|Infinity|published/);
  });

  it('refuses options that it does not have, and says which are allowed', () => {
    const refused = (...args: readonly string[]) => {
      assert.throws(() => parseKernelBenchArguments(args), { name: 'Error', message: /allowed|Unknown option/ });
    };
    refused('--sizes', '0');
    refused('--mixes', 'nobody');
    refused('--repeats', '2');
    refused('--tolerance', '1');
    refused('--reference', '/no/such/python');
    refused('--swift');
    assert.equal(parseKernelBenchArguments(['--help']), null);
    const quick = parseKernelBenchArguments(['--quick', '--sizes', '64'])!;
    assert.deepEqual([...new Set(quick.cases.map(({ out }) => out))], [64]);
    assert.equal(quick.python, null);
  });
});

const { python, skip } = findPeftPython();

describe('the numpy reference', { skip }, () => {
  it('finds the errors that the oracle finds', async () => {
    const reference = createNumpyReference({ python, threads: 1 });
    const reports = await benchKernel(cases, { repeats: 2 }, { kernel, peak: null, reference });
    for (const [i, report] of reports.entries()) {
      assert.ok(referenceSeconds(report.reference!) > 0);
      const expected = (await measured)[i]!.reference!.errors;
      for (const [j, { rank, relativeError, optimalRelativeError }] of report.reference!.errors.entries()) {
        const of = expected[j]!;
        assert.equal(rank, of.rank);
        assert.ok(Math.abs(relativeError - of.relativeError) < ROUNDING, `${relativeError} is not ${of.relativeError}`);
        assert.ok(Math.abs(optimalRelativeError - of.optimalRelativeError) < ROUNDING);
      }
    }
  });

  it('times without an answer to compare', async () => {
    const reference = createNumpyReference({ python, threads: 1 });
    const figures = await reference.measure({ kernelCase: cases[1]!, terms: termsOf(cases[1]!), answer: null }, 2);
    assert.ok(figures.formSeconds.runs === 2 && figures.svdSeconds.min > 0);
    assert.deepEqual(figures.errors, []);
    assert.ok((await reference.productRate()) > 1e6);
  });

  it('finds the excess of sums that are too large for the oracle within the tolerance', async () => {
    const reference = createNumpyReference({ python, threads: 1 });
    const larger = (['decay', 'flat'] as const).map(
      (spectrum): KernelCase => ({
        out: 256,
        in: 200,
        mix: { name: 'larger', clients: 12, cycle: [8, 30, 60] },
        spectrum,
        rank: 24,
      }),
    );
    for (const { excess, method } of await benchKernel(larger, { repeats: 1 }, { kernel, peak: null, reference })) {
      assert.ok(excess! >= -ROUNDING && excess! <= TOLERANCE - 1, `excess ${excess} of ${method}`);
    }
  });
});
