import { mkdir, open, rm, writeFile } from 'node:fs/promises';
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
import type { RunPlan } from '../translate.ts';
import { UPDATE_FILE } from '../work-directory.ts';
import type { DownloadPlan, PlannedModule } from './plan-download.ts';

/**
 * Makes a PEFT directory of a verified download, with each module at the agent's own rank and scaling. One object is in memory at a time.
 *
 * @param prefixFile the downloaded bytes.
 * @param directory is made anew.
 */
export async function writePeftDirectory(
  prefixFile: string,
  download: DownloadPlan,
  plan: RunPlan,
  directory: string,
): Promise<null | Refusal> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const modules = download.objects.flatMap((object) => object.modules);
  await writeFile(join(directory, 'adapter_config.json'), configOf(modules, plan));

  const layout = layOutPeftFile(
    modules.map(({ name, out, in: columns, wanted }) => ({ name, out, in: columns, rank: wanted })),
  );
  const places = placesByModule(layout.factors);
  const input = await open(prefixFile, 'r');
  const output = await open(join(directory, UPDATE_FILE), 'w');
  try {
    await output.write(layout.header, 0, layout.header.byteLength, 0);
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
          await output.write(values, 0, values.byteLength, begin);
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

async function readExactly(file: Awaited<ReturnType<typeof open>>, into: Uint8Array, from: number): Promise<void> {
  let filled = 0;
  while (filled < into.byteLength) {
    const { bytesRead } = await file.read(into, filled, into.byteLength - filled, from + filled);
    if (bytesRead === 0)
      throw new Error(`the downloaded adapter ends at byte ${from + filled}; ${from + into.byteLength} are needed`);
    filled += bytesRead;
  }
}
