import {
  factorValues,
  type ModuleSpec,
  peftTensorName,
  type QuantisedProduct,
  quantiseProduct,
  type Refusal,
  refuse,
  scalingFactor,
  thinProduct,
} from '@flexlora/core';
import type { AgentDisk } from '../disk/agent-disk.ts';
import type { RunPlan } from '../translate.ts';
import { type Feedback, feedbackShapes, quantisedShapes, writeFeedback, writeQuantised } from './feedback.ts';
import { type Conversion, readTrained } from './narrow-update.ts';
import { createTensorFile, type TensorWriter } from './tensor-file.ts';

export interface QuantiseRequest {
  readonly plan: RunPlan;
  readonly feedback: Feedback;
  /** Where to write what the next round is fed back, and the round that it is of. */
  readonly keptIn: { readonly path: string; readonly round: number };
}

/**
 * Writes an update in int8, one module at a time, with what the last one lost fed back, and beside it what this one loses.
 *
 * @returns the relative error over all modules, or a refusal of numbers that 8 bits and a scale cannot hold.
 */
export async function quantiseUpdate(
  disk: AgentDisk,
  conversion: Conversion,
  request: QuantiseRequest,
): Promise<number | Refusal> {
  const { plan, keptIn } = request;
  const ranked = plan.modules.map((module) => ({ module, rank: conversion.modules.get(module.name)!.rank }));
  const shapes = ranked.flatMap(({ module: { name, out, in: columns }, rank }) => [
    ...quantisedShapes(peftTensorName(name, 'a'), rank, columns),
    ...quantisedShapes(peftTensorName(name, 'b'), out, rank),
  ]);
  const kept = ranked.flatMap(({ module, rank }) => feedbackShapes(module, rank));
  const update = await createTensorFile(disk, conversion.to, shapes);
  try {
    const next = await createTensorFile(disk, keptIn.path, kept, { round: String(keptIn.round) });
    try {
      const error = await quantiseModules(conversion, request, update, next);
      await next.sync();
      return error;
    } finally {
      await next.close();
    }
  } finally {
    await update.close();
  }
}

async function quantiseModules(
  conversion: Conversion,
  { plan, feedback }: QuantiseRequest,
  update: TensorWriter,
  next: TensorWriter,
): Promise<number | Refusal> {
  let [errorEnergy, energy] = [0, 0];
  for (const module of plan.modules) {
    const basis = plan.averagesFactors ? 'kept' : 'free';
    const quantised = await quantiseModule(conversion, feedback, module, basis);
    if (quantised === null) return beyondScales(module);
    const { sent } = quantised;
    await writeQuantised(update, peftTensorName(module.name, 'a'), sent.a);
    await writeQuantised(update, peftTensorName(module.name, 'b'), sent.b);
    await writeFeedback(next, module.name, quantised);
    conversion.signal.throwIfAborted();
    const { scaling, alpha } = plan.training;
    const square = scalingFactor(scaling, alpha, sent.a.rows) ** 2;
    errorEnergy += square * quantised.errorEnergy;
    energy += square * quantised.energy;
  }
  return energy > 0 ? Math.sqrt(errorEnergy / energy) : 0;
}

async function quantiseModule(
  { trained, modules }: Conversion,
  feedback: Feedback,
  module: ModuleSpec,
  basis: 'free' | 'kept',
): Promise<QuantisedProduct | null> {
  const { b, a, rank } = modules.get(module.name)!;
  const product = thinProduct(
    factorValues(await readTrained(trained, b)),
    factorValues(await readTrained(trained, a)),
    rank,
  );
  return quantiseProduct(product, await feedback.lostOf(module, rank), basis);
}

const beyondScales = ({ name }: ModuleSpec): Refusal =>
  refuse(
    'notFinite',
    `module ${name} holds numbers that int8 with scales in f32 cannot hold; allowed: magnitudes up to 3.3e38: training diverged, train again at a smaller learning rate`,
  );
