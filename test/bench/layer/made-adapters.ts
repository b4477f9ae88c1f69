import { mkdir, open, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodePeftConfig, encodeSafetensorsHeader, peftTensorName } from '@flexlora/core';
import { UsageError } from '../arguments.ts';
import { ALPHA, type ClientMix, ranksOf, samplesOf } from '../factors/client-mix.ts';
import { createFactorMaker, type FactorMaker, type Spectrum } from '../factors/factor-maker.ts';
import { gibibytes } from '../report/markdown.ts';
import type { LayerModule } from './layer-modules.ts';

/** A PEFT adapter directory and its number of training samples. */
export interface MadeAdapter {
  readonly directory: string;
  readonly samples: number;
}

const BYTES_PER_VALUE = 2;
/** Headers, configurations, and the results that are written beside the adapters. */
const SPARE_BYTES = 1 << 30;

export function factorBytesOf(modules: readonly LayerModule[], mix: ClientMix): number {
  const perRank = modules.reduce((sum, { out, in: columns }) => sum + out + columns, 0);
  return ranksOf(mix).reduce((sum, rank) => sum + rank, 0) * perRank * BYTES_PER_VALUE;
}

/** @throws {UsageError} where the disk lacks room. */
export async function checkRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const [free, needed] = [bavail * bsize, bytes + SPARE_BYTES];
  if (free >= needed) return;
  throw new UsageError(
    `${folder} has ${gibibytes(free)} free; needed: ${gibibytes(needed)}: make room, name another --folder, or fewer --clients`,
  );
}

/** One directory a client, with bfloat16 factors for all modules, as `save_pretrained` writes it. The same arguments give the same bytes. */
export async function makeAdapters(
  folder: string,
  modules: readonly LayerModule[],
  mix: ClientMix,
  spectrum: Spectrum,
  signal: AbortSignal,
): Promise<readonly MadeAdapter[]> {
  const makers = new Map<string, FactorMaker>(
    modules.map(({ name, out, in: columns }, index) => [name, createFactorMaker(out, columns, spectrum, index)]),
  );
  const made: MadeAdapter[] = [];
  for (const [client, rank] of ranksOf(mix).entries()) {
    signal.throwIfAborted();
    const directory = join(folder, `client-${`${client}`.padStart(5, '0')}`);
    await mkdir(directory);
    await writeWeights(join(directory, 'adapter_model.safetensors'), modules, rank, (name) =>
      makers.get(name)!.make(client, rank),
    );
    const config = encodePeftConfig({
      modules: modules.map(({ name }) => ({ name, rank, alpha: ALPHA })),
      scaling: 'alphaOverRank',
      baseModel: 'made',
      taskType: 'CAUSAL_LM',
      fanInFanOut: false,
    });
    await writeFile(join(directory, 'adapter_config.json'), config);
    made.push({ directory, samples: samplesOf(client) });
  }
  return made;
}

async function writeWeights(
  path: string,
  modules: readonly LayerModule[],
  rank: number,
  factorsOf: (name: string) => { readonly b: Float32Array; readonly a: Float32Array },
): Promise<void> {
  const shapes = modules.flatMap(({ name, out, in: columns }) => [
    { name: peftTensorName(name, 'a'), dtype: 'BF16' as const, shape: [rank, columns] },
    { name: peftTensorName(name, 'b'), dtype: 'BF16' as const, shape: [out, rank] },
  ]);
  const { header, bytes } = encodeSafetensorsHeader(shapes);
  const places = new Map(header.tensors.map(({ name, begin }) => [name, begin]));
  const file = await open(path, 'wx');
  try {
    await file.write(bytes, 0, bytes.byteLength, 0);
    for (const { name } of modules) {
      const factors = factorsOf(name);
      for (const side of ['a', 'b'] as const) {
        const values = bfloat16(factors[side]);
        const { bytesWritten } = await file.write(
          values,
          0,
          values.byteLength,
          places.get(peftTensorName(name, side))!,
        );
        if (bytesWritten !== values.byteLength)
          throw new Error(`${path}: ${bytesWritten} of ${values.byteLength} bytes were written`);
      }
    }
  } finally {
    await file.close();
  }
}

/** Rounds to nearest, ties to even; values are finite. Overwrites what it is given. */
function bfloat16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const rounded = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    rounded[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return rounded;
}
