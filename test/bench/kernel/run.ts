import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadKernel, measuredPeak } from '@flexlora/kernel';
import { describeMachine, loadNotice } from '../machine/describe-machine.ts';
import { machinePeak } from '../machine/machine-peak.ts';
import { runBench } from '../run-bench.ts';
import { benchKernel, type KernelReport } from './bench-kernel.ts';
import { compareMethods } from './compare-methods.ts';
import { KERNEL_BENCH_HELP, type KernelBenchOptions, parseKernelBenchArguments } from './kernel-options.ts';
import { kernelPlot } from './kernel-plot.ts';
import { kernelTable } from './kernel-table.ts';
import { createNumpyReference } from './numpy-reference.ts';

// npm run bench:kernel [-- options]

async function run({ cases, repeats, tolerance, ...options }: KernelBenchOptions, signal: AbortSignal): Promise<void> {
  const { threads, python, out } = options;
  const { kernel, notice } = loadKernel({
    threads,
    ...(options.kernel && { prefer: options.kernel }),
    ...(options.memoryBytes && { memoryBytes: options.memoryBytes }),
  });
  if (notice !== null) console.error(notice);
  if (options.compares === 'methods') {
    await compareMethods(kernel, { cases, repeats, threads, out, signal, ...(tolerance && { tolerance }) });
    return;
  }
  const reference = python === null ? null : createNumpyReference({ python, threads, signal });
  if (reference === null) console.error('Without a reference: name a Python that has numpy with --reference.');
  const meters = [
    { name: "the kernel's inner loop", measure: () => measuredPeak(threads) },
    ...(reference === null ? [] : [{ name: "numpy's product", measure: reference.productRate }]),
  ];
  const machine = describeMachine();
  const busy = loadNotice(machine);
  if (busy !== null) console.error(busy);
  const peak = await machinePeak(threads, meters);
  const onCase = (name: string): void => console.error(name);
  const reports = await benchKernel(
    cases,
    { repeats, signal, ...(tolerance && { tolerance }) },
    { kernel, peak, reference, onCase },
  );
  const report: KernelReport = {
    machine,
    kernel: kernel.name,
    threads,
    peak,
    reference: reference?.name ?? null,
    cases: reports,
  };
  const table = kernelTable(report);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'kernel.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(out, 'kernel.md'), table);
  await writeFile(join(out, 'kernel.svg'), kernelPlot(report.cases));
  console.log(`${table}\nwritten to ${out}: kernel.json, kernel.md, kernel.svg`);
}

await runBench(KERNEL_BENCH_HELP, parseKernelBenchArguments, run);
