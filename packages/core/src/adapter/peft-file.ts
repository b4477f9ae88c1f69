import type { AdapterFactors } from './adapter-factors.ts';
import { bytesOfValues, type FactorSide } from './factor.ts';
import { peftTensorName } from './peft-names.ts';
import { encodeSafetensorsHeader } from './safetensors-encode.ts';

export interface PeftFileModule {
  readonly name: string;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
}

/** Where everything of an `adapter_model.safetensors` of f32 factors goes, known before any factor is. */
export interface PeftFileLayout {
  readonly header: Uint8Array;
  readonly fileBytes: number;
  /** In the order of the file; `module` is an index of the modules given. */
  readonly factors: readonly PeftFileFactor[];
}

export interface PeftFileFactor {
  readonly module: number;
  readonly side: FactorSide;
  /** Offsets in the file: `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
}

export function layOutPeftFile(modules: readonly PeftFileModule[]): PeftFileLayout {
  const places = new Map<string, { readonly module: number; readonly side: FactorSide }>();
  const shapes = modules.flatMap(({ name, out, in: columns, rank }, module) => {
    const a = peftTensorName(name, 'a');
    const b = peftTensorName(name, 'b');
    places.set(a, { module, side: 'a' }).set(b, { module, side: 'b' });
    return [
      { name: a, dtype: 'F32' as const, shape: [rank, columns] },
      { name: b, dtype: 'F32' as const, shape: [out, rank] },
    ];
  });
  const { header, bytes } = encodeSafetensorsHeader(shapes);
  const factors = header.tensors.map(({ name, begin, end }) => ({ ...places.get(name)!, begin, end }));
  return { header: bytes, fileBytes: header.fileBytes, factors };
}

/** The file in pieces, from first byte to last: the header, then views of the factors, which are not copied. */
export function* encodePeftFile(
  modules: readonly PeftFileModule[],
  factors: readonly AdapterFactors[],
): Generator<Uint8Array, void> {
  const layout = layOutPeftFile(modules);
  yield layout.header;
  for (const { module, side } of layout.factors) yield bytesOfValues(factors[module]![side]);
}
