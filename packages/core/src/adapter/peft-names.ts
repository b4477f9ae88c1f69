import { type ModuleName, parseModuleName } from '../ids.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import type { FactorSide } from './factor.ts';

const PREFIX = 'base_model.model.';
/** PEFT drops the adapter's name when it saves; files saved by other ways keep it, and it is then almost always `default`. */
const FACTOR_PATTERN = /^base_model\.model\.(.+)\.lora_(A|B)(?:\.default)?\.weight$/;

export interface FactorName {
  readonly module: ModuleName;
  readonly side: FactorSide;
}

/** `base_model.model.<module>.lora_A.weight`, as PEFT saves it. */
export function peftTensorName(module: string, side: FactorSide): string {
  return `${PREFIX}${module}.lora_${side === 'a' ? 'A' : 'B'}.weight`;
}

/** Beside a factor of 8-bit integers: the scale of each of its rows. */
export const SCALES_SUFFIX = '.scales';

export function parsePeftTensorName(name: string): FactorName | Refusal {
  const match = FACTOR_PATTERN.exec(name);
  if (match === null) {
    return refuse(
      'badTensor',
      `tensor ${name.slice(0, 200)} is not a LoRA factor; allowed: ${PREFIX}<module>.lora_A.weight and …lora_B.weight alone: ${advice(name)}`,
    );
  }
  const module = parseModuleName(match[1]!);
  if (isRefusal(module)) return module;
  return { module, side: match[2] === 'A' ? 'a' : 'b' };
}

function advice(name: string): string {
  if (name.includes('lora_magnitude_vector')) return 'DoRA has no exact sum, train with use_dora=False';
  if (name.includes('lora_embedding_')) return 'leave embeddings out of target_modules';
  if (name.includes('lora_')) return 'save the adapter with peft_model.save_pretrained';
  return 'train without modules_to_save and with bias="none"';
}
