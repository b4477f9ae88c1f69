import { createHash } from 'node:crypto';
import type { RunSpec } from '@flexlora/contracts/run/v1/run_spec';
import { encodeSafetensorsHeader, peftTensorName } from '@flexlora/core';

/** A safetensors update at these ranks, every number of it `fill`. */
export function updateFile(spec: RunSpec, ranks: Readonly<Record<string, number>>, fill: number): Buffer {
  const shapes = spec.modules.flatMap(({ name, outFeatures, inFeatures, rankGroup }) => {
    const rank = Math.min(ranks[rankGroup] ?? 0, outFeatures, inFeatures);
    return [
      { name: peftTensorName(name, 'a'), dtype: 'F32' as const, shape: [rank, inFeatures] },
      { name: peftTensorName(name, 'b'), dtype: 'F32' as const, shape: [outFeatures, rank] },
    ];
  });
  const { header, bytes } = encodeSafetensorsHeader(shapes);
  const data = new Float32Array((header.fileBytes - header.dataAt) / Float32Array.BYTES_PER_ELEMENT).fill(fill);
  return Buffer.concat([bytes, Buffer.from(data.buffer)]);
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
