import { createHash } from 'node:crypto';
import {
  type AdapterModule,
  type AdapterObject,
  encodeSafetensorsHeader,
  peftTensorName,
  type Sha256Hex,
} from '@flexlora/core';
import { SOURCE_OBJECT } from './s3-place.ts';

const SIDE = 2_048;
const RANK = 64;
/** Of one module at this rank, as f32: lora_A and lora_B have 1 MiB together. */
const MODULE_BYTES = 2 * SIDE * RANK * 4;

const modulesOf = (bytes: number): readonly { readonly name: string; readonly out: number; readonly in: number }[] =>
  Array.from({ length: Math.max(1, Math.round(bytes / MODULE_BYTES)) }, (_, i) => ({
    name: `model.layers.${i}.self_attn.q_proj`,
    out: SIDE,
    in: SIDE,
  }));

/** Runs of which an update at full rank has about so many bytes. */
export const specOf = (bytes: number) => ({
  modules: modulesOf(bytes).map((module) => ({ ...module, rankGroup: 'all' })),
  rank: { min: 1, max: RANK },
  training: { alpha: 16, scaling: 'standard' },
  svdSplit: 'b',
});

export const RANKS = { all: RANK } as const;

/** A whole update of about so many bytes, none of whose blocks is like another. */
export function makeUpdate(bytes: number): { readonly file: Buffer; readonly sha256: string } {
  const shapes = modulesOf(bytes).flatMap(({ name }) => [
    { name: peftTensorName(name as never, 'a'), dtype: 'F32' as const, shape: [RANK, SIDE] },
    { name: peftTensorName(name as never, 'b'), dtype: 'F32' as const, shape: [SIDE, RANK] },
  ]);
  const { header, bytes: head } = encodeSafetensorsHeader(shapes);
  const file = Buffer.allocUnsafe(header.fileBytes);
  file.set(head);
  for (let at = header.dataAt; at < file.byteLength; at += 4) file.writeFloatLE((at % 1_000_003) * 1e-6, at);
  return { file, sha256: createHash('sha256').update(file).digest('hex') };
}

/** The object of an adapter that has as many bytes as an update. */
export function adapterObject(bytes: number): AdapterObject {
  const modules = modulesOf(bytes).map((module) => ({
    ...module,
    rank: RANK,
    spectrum: Array.from({ length: RANK }, (_, i) => 1 / (i + 1)),
  }));
  return {
    taskId: 'all' as AdapterObject['taskId'],
    objectName: SOURCE_OBJECT,
    bytes: modules.length * MODULE_BYTES,
    digest: '0'.repeat(64) as Sha256Hex,
    componentDigests: Array.from({ length: RANK }, () => '0'.repeat(64) as Sha256Hex),
    rankGroup: 'all',
    modules: modules as unknown as readonly AdapterModule[],
  };
}
