import { join } from 'node:path';
import {
  bytesOfValues,
  encodePeftConfig,
  factorsFromRankMajor,
  isRefusal,
  layOutPeftFile,
  type PeftFileFactor,
  type Refusal,
  scalingFactor,
} from '@flexlora/core';
import type { AgentDisk, DiskFile } from '../disk/agent-disk.ts';
import { writeDurably } from '../durable-file.ts';
import type { RunPlan } from '../translate.ts';
import { UPDATE_FILE } from '../work-directory.ts';
import type { DownloadPlan, PlannedModule } from './plan-download.ts';

/** Makes of a verified download, in a directory that is made anew, what a trainer reads. */
export type AdapterWriter = typeof writePeftDirectory;

/**
 * Makes a PEFT directory of a verified download, with each module at the agent's own rank and scaling. One object is in memory at a time.
 *
 * @param prefixFile the downloaded bytes.
 * @param directory is made anew.
 */
export async function writePeftDirectory(
  disk: AgentDisk,
  prefixFile: string,
  download: DownloadPlan,
  plan: RunPlan,
  directory: string,
): Promise<null | Refusal> {
  await disk.remove(directory);
  await disk.makeDirectory(directory);
  const modules = download.objects.flatMap((object) => object.modules);
  await writeDurably(disk, join(directory, 'adapter_config.json'), configOf(modules, plan));

  const layout = layOutPeftFile(
    modules.map(({ name, out, in: columns, wanted }) => ({ name, out, in: columns, rank: wanted })),
  );
  const places = placesByModule(layout.factors);
  const input = await disk.open(prefixFile, 'read');
  if (input === null)
    throw new Error(`${prefixFile} was removed after it was downloaded: one agent at a time works in it`);
  const output = await disk.create(join(directory, UPDATE_FILE));
  try {
    await output.write(layout.header, 0);
    let first = 0;
    for (const object of download.objects) {
      const bytes = new Uint8Array(object.bytes);
      await readExactly(input, bytes, object.begin);
      const wanted = object.modules.map(({ wanted: rank }) => ({
        rank,
        scaling: scalingFactor(plan.training.scaling, plan.training.alpha, rank),
      }));
      const factors = factorsFromRankMajor(bytes, object.modules, wanted, download.svdSplit);
      if (isRefusal(factors)) return factors;
      for (const [index, factor] of factors.entries()) {
        for (const { side, begin } of places.get(first + index) ?? []) {
          const values = bytesOfValues(factor[side]);
          await output.write(values, begin);
        }
      }
      first += object.modules.length;
    }
    await output.sync();
  } finally {
    await input.close();
    await output.close();
  }
  return null;
}

function configOf(modules: readonly PlannedModule[], plan: RunPlan): string {
  const { alpha, scaling } = plan.training;
  return encodePeftConfig({
    modules: modules.map(({ name, wanted }) => ({ name, rank: wanted, alpha })),
    scaling,
    baseModel: plan.baseModelName,
    taskType: 'CAUSAL_LM',
    fanInFanOut: false,
  });
}

function placesByModule(factors: readonly PeftFileFactor[]): ReadonlyMap<number, readonly PeftFileFactor[]> {
  const places = new Map<number, PeftFileFactor[]>();
  for (const factor of factors) {
    const known = places.get(factor.module);
    if (known === undefined) places.set(factor.module, [factor]);
    else known.push(factor);
  }
  return places;
}

async function readExactly(file: DiskFile, into: Uint8Array, from: number): Promise<void> {
  const filled = await file.read(into, from);
  if (filled < into.byteLength)
    throw new Error(`the downloaded adapter ends at byte ${from + filled}; ${from + into.byteLength} are needed`);
}
