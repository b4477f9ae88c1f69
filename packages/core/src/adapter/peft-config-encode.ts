import { isRefusal } from '../refusal.ts';
import type { ScalingKind } from '../round/run-spec.ts';
import { type PeftConfig, parsePeftConfig, peftModuleAlpha, peftModuleRank } from './peft-config.ts';
import { exactPeftPattern } from './peft-pattern.ts';

export interface PeftConfigModule {
  readonly name: string;
  readonly rank: number;
  /** α of this module, by the `scaling` of the whole; with `constant` the factor s itself. */
  readonly alpha: number;
}

export interface PeftConfigOptions {
  /** At least one, of distinct names. */
  readonly modules: readonly PeftConfigModule[];
  readonly scaling: ScalingKind;
  readonly baseModel: string | null;
  readonly taskType: string | null;
  readonly fanInFanOut: boolean;
}

/**
 * `adapter_config.json` for these modules. `r` is the rank that most modules have (the largest of equals), and `lora_alpha` the α that
 * most of those have; what differs stands in `rank_pattern` and `alpha_pattern` under the module's own name. PEFT reads such a key as an
 * expression that also matches longer names with this ending; where that would change another module's value, every key is written
 * so that it matches one name alone (`^a\.b`). PEFT has no constant scaling: it is written as α = s·r.
 */
export function encodePeftConfig(options: PeftConfigOptions): string {
  const modules = options.modules.map(({ name, rank, alpha }) => ({
    name,
    rank,
    alpha: options.scaling === 'constant' ? alpha * rank : alpha,
  }));
  const plain = configText(options, modules, (name) => name);
  if (readsBack(plain, modules)) return plain;
  return configText(options, modules, exactPeftPattern);
}

function configText(
  options: PeftConfigOptions,
  modules: readonly PeftConfigModule[],
  keyOf: (name: string) => string,
): string {
  const rank = commonest(modules.map((module) => module.rank));
  const alpha = commonest(modules.filter((module) => module.rank === rank).map((module) => module.alpha));
  const sorted = modules.toSorted((x, y) => (x.name < y.name ? -1 : 1));
  const patternOf = (field: 'rank' | 'alpha', usual: number) =>
    Object.fromEntries(
      sorted.filter((module) => module[field] !== usual).map((module) => [keyOf(module.name), module[field]]),
    );
  const config = {
    alpha_pattern: patternOf('alpha', alpha),
    base_model_name_or_path: options.baseModel,
    bias: 'none',
    fan_in_fan_out: options.fanInFanOut,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    rank_pattern: patternOf('rank', rank),
    target_modules: sorted.map((module) => module.name),
    task_type: options.taskType,
    use_dora: false,
    use_rslora: options.scaling === 'alphaOverSqrtRank',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function readsBack(text: string, modules: readonly PeftConfigModule[]): boolean {
  const config: PeftConfig | ReturnType<typeof parsePeftConfig> = parsePeftConfig(text);
  if (isRefusal(config)) return false;
  return modules.every(
    ({ name, rank, alpha }) => peftModuleRank(config, name) === rank && peftModuleAlpha(config, name) === alpha,
  );
}

/** The value that occurs most, the largest of equals. */
function commonest(values: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, next) =>
    next[1] > best[1] || (next[1] === best[1] && next[0] > best[0]) ? next : best,
  )[0];
}
