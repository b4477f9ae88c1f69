import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Kernel } from '@flexlora/kernel';
import { describeMachine, loadNotice } from '../machine/describe-machine.ts';
import { machineLines } from '../report/machine-lines.ts';
import { benchRegret } from './bench-regret.ts';
import type { KernelCase } from './kernel-case.ts';
import type { MeasureOptions } from './measure-sum.ts';
import { regretTable } from './regret-table.ts';

export interface CompareMethodsOptions extends Omit<MeasureOptions, 'method'> {
  readonly cases: readonly KernelCase[];
  readonly threads: number;
  readonly out: string;
}

/** Times every method of the kernel and writes `regret.json` and `regret.md`. */
export async function compareMethods(
  kernel: Kernel,
  { cases, threads, out, ...options }: CompareMethodsOptions,
): Promise<void> {
  const machine = describeMachine();
  const busy = loadNotice(machine);
  if (busy !== null) console.error(busy);
  const reports = await benchRegret(cases, options, { kernel, onCase: (name) => console.error(name) });
  const table = [
    `${kernel.name} kernel, the fastest of at most ${options.repeats} runs.`,
    machineLines(machine, threads, null),
    '',
    regretTable(reports),
    '',
  ].join('\n');
  await mkdir(out, { recursive: true });
  await writeFile(
    join(out, 'regret.json'),
    `${JSON.stringify({ machine, kernel: kernel.name, threads, cases: reports }, null, 2)}\n`,
  );
  await writeFile(join(out, 'regret.md'), table);
  console.log(`${table}\nwritten to ${out}: regret.json, regret.md`);
}
