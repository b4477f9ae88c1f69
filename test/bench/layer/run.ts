import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measuredPeak } from '@flexlora/kernel';
import { createNumpyReference } from '../kernel/numpy-reference.ts';
import { describeMachine, loadNotice } from '../machine/describe-machine.ts';
import { machinePeak } from '../machine/machine-peak.ts';
import { runBench } from '../run-bench.ts';
import { benchLayer } from './bench-layer.ts';
import { LAYER_MODULES } from './layer-modules.ts';
import { LAYER_BENCH_HELP, type LayerBenchOptions, parseLayerBenchArguments } from './layer-options.ts';
import { layerTable } from './layer-table.ts';

// npm run bench:layer [-- options]

async function run(options: LayerBenchOptions, signal: AbortSignal): Promise<void> {
  const { python, threads, out } = options;
  const machine = describeMachine();
  const busy = loadNotice(machine);
  if (busy !== null) console.error(busy);
  const reference = python === null ? null : createNumpyReference({ python, threads, signal });
  if (reference === null) console.error('Without a reference: name a Python that has numpy with --reference.');
  const meters = [
    { name: "the kernel's inner loop", measure: () => measuredPeak(threads) },
    ...(reference === null ? [] : [{ name: "numpy's product", measure: reference.productRate }]),
  ];
  const peak = await machinePeak(threads, meters);
  const onStep = (step: string): void => console.error(step);
  const report = await benchLayer(options, { modules: LAYER_MODULES, machine, peak, reference, signal, onStep });
  const table = layerTable(report);
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'layer.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(out, 'layer.md'), table);
  console.log(`${table}\nwritten to ${out}: layer.json, layer.md`);
  if (report.bytes?.variants.some(({ isSame }) => !isSame)) process.exitCode = 1;
}

await runBench(LAYER_BENCH_HELP, parseLayerBenchArguments, run);
