import {
  type ExpectedModule,
  moduleRank,
  type Refusal,
  type RunSpec,
  refuse,
  SAFETENSORS_HEADER_BYTES_MAX,
  updateBytes,
  updateFormatOf,
} from '@flexlora/core';

/** What an update at these ranks must hold, module by module. */
export const expectedModules = (spec: RunSpec, ranks: Readonly<Record<string, number>>): readonly ExpectedModule[] =>
  spec.modules.map((module) => ({
    name: module.name,
    out: module.out,
    in: module.in,
    rank: moduleRank(module, ranks),
    format: updateFormatOf(spec),
  }));

/** A safetensors file of these factors in the run's format, with a header up to its limit. */
export function checkUpdateSize(spec: RunSpec, ranks: Readonly<Record<string, number>>, bytes: number): Refusal | null {
  const factors = updateBytes(spec, ranks);
  const { least } = factors;
  const most = factors.most + LENGTH_BYTES + SAFETENSORS_HEADER_BYTES_MAX;
  if (bytes > least && bytes <= most) return null;
  return refuse(
    bytes > most ? 'tooLarge' : 'badFile',
    `bytes is ${bytes}; an update at the assigned ranks has ${least === factors.most ? `${least} (${updateFormatOf(spec)})` : `${least} (f16, bf16) or ${factors.most} (f32)`} bytes of factors and a header: allowed: above ${least}, at most ${most}: train at the assigned rank and send lora_A and lora_B alone, in the run's update format ${updateFormatOf(spec)}, into which a client agent of this version converts them`,
  );
}

/** The length in front of a safetensors header. */
const LENGTH_BYTES = 8;
