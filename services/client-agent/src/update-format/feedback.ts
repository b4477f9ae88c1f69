import {
  bytesOfValues,
  dequantiseRows,
  factorValues,
  fromColumns,
  fromRows,
  isRefusal,
  lostProduct,
  type ModuleSpec,
  type QuantisedProduct,
  SCALES_SUFFIX,
  scalingFactor,
  type TensorShape,
  type ThinProduct,
  thinProduct,
} from '@flexlora/core';
import type { Logger } from '@flexlora/runtime';
import type { AgentDisk } from '../disk/agent-disk.ts';
import type { RunPlan } from '../translate.ts';
import { openTensorFile, type TensorReader, type TensorWriter } from './tensor-file.ts';

/**
 * What an int8 update was meant to be and what was sent of it, by module: `meant.a` and `meant.b` in F32, `sent.a` and `sent.b` in I8 with their
 * scales. Their difference is fed back in the next round.
 */
export interface Feedback {
  /** What the last accepted update lost of this module, in the scaling that the module has now; null where nothing is known. */
  lostOf(module: ModuleSpec, rank: number): Promise<ThinProduct | null>;
  close(): Promise<void>;
}

export const NO_FEEDBACK: Feedback = { lostOf: async () => null, close: async () => {} };

/** @param round that it is fed back in: what was kept of that round itself, or of a later one, is of a platform that forgot it since. */
export async function openFeedback(
  { disk, logger }: { readonly disk: AgentDisk; readonly logger: Logger },
  path: string,
  { training }: RunPlan,
  round: number,
): Promise<Feedback> {
  const file = await openTensorFile(disk, path);
  if (file === null) return NO_FEEDBACK;
  if (isRefusal(file)) {
    logger.warn({ path, reason: file.message }, 'what the last update lost cannot be read: it is not fed back');
    return NO_FEEDBACK;
  }
  if (!(Number(file.metadata['round']) < round)) {
    await file.close();
    return NO_FEEDBACK;
  }
  const scalingOf = (rank: number): number => scalingFactor(training.scaling, training.alpha, rank);
  return {
    lostOf: async (module, rank) => {
      try {
        const meant = await readProduct(file, module, 'meant');
        const sent = await readProduct(file, module, 'sent');
        if (meant === null || sent === null) return null;
        return lostProduct(meant, sent, scalingOf(meant.a.length) / scalingOf(rank));
      } catch (error) {
        // It makes an update better and is not needed for one.
        logger.warn({ path, module: module.name, err: error }, 'what a module lost cannot be read: it is not fed back');
        return null;
      }
    },
    close: () => file.close(),
  };
}

type Part = 'meant' | 'sent';

const nameOf = (module: string, part: Part, side: 'a' | 'b'): string => `${module}.${part}.${side}`;

/** Null where it is absent, or of a module of another shape. */
async function readProduct(file: TensorReader, module: ModuleSpec, part: Part): Promise<ThinProduct | null> {
  const [a, b] = [file.find(nameOf(module.name, part, 'a')), file.find(nameOf(module.name, part, 'b'))];
  if (a === undefined || b === undefined) return null;
  const [rank = 0, columns] = a.shape;
  if (b.shape[0] !== module.out || b.shape[1] !== rank || columns !== module.in) return null;
  const valuesOf = async (tensor: string): Promise<Float32Array> => {
    const { dtype, shape, begin, end } = file.find(tensor)!;
    const [rows = 0, cols = 1] = shape;
    const bytes = await file.read({ begin, end });
    if (dtype !== 'I8') return factorValues({ dtype: 'F32', rows, cols, bytes });
    const scales = await valuesOf(tensor + SCALES_SUFFIX);
    return dequantiseRows({ rows, cols, values: new Int8Array(bytes.buffer), scales });
  };
  return thinProduct(await valuesOf(b.name), await valuesOf(a.name), rank);
}

export const feedbackShapes = ({ name, out, in: columns }: ModuleSpec, rank: number): readonly TensorShape[] => [
  { name: nameOf(name, 'meant', 'a'), dtype: 'F32', shape: [rank, columns] },
  { name: nameOf(name, 'meant', 'b'), dtype: 'F32', shape: [out, rank] },
  ...quantisedShapes(nameOf(name, 'sent', 'a'), rank, columns),
  ...quantisedShapes(nameOf(name, 'sent', 'b'), out, rank),
];

export const quantisedShapes = (tensor: string, rows: number, cols: number): readonly TensorShape[] => [
  { name: tensor, dtype: 'I8', shape: [rows, cols] },
  { name: tensor + SCALES_SUFFIX, dtype: 'F32', shape: [rows] },
];

export async function writeFeedback(
  file: TensorWriter,
  module: string,
  { meant, sent }: QuantisedProduct,
): Promise<void> {
  await file.write(nameOf(module, 'meant', 'a'), bytesOfValues(Float32Array.from(fromRows(meant.a))));
  await file.write(nameOf(module, 'meant', 'b'), bytesOfValues(Float32Array.from(fromColumns(meant.b))));
  await writeQuantised(file, nameOf(module, 'sent', 'a'), sent.a);
  await writeQuantised(file, nameOf(module, 'sent', 'b'), sent.b);
}

export async function writeQuantised(
  file: TensorWriter,
  tensor: string,
  { values, scales }: QuantisedProduct['sent']['a'],
): Promise<void> {
  await file.write(tensor, new Uint8Array(values.buffer));
  await file.write(tensor + SCALES_SUFFIX, bytesOfValues(scales));
}
