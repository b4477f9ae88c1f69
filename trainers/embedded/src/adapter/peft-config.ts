export type ScalingKind = 'alphaOverRank' | 'alphaOverSqrtRank' | 'constant';

export interface PeftScaling {
  readonly kind: ScalingKind;
  readonly alpha: number;
}

export function scalingFactor(scaling: PeftScaling, rank: number): number {
  switch (scaling.kind) {
    case 'alphaOverRank':
      return scaling.alpha / rank;
    case 'alphaOverSqrtRank':
      return scaling.alpha / Math.sqrt(rank);
    case 'constant':
      return scaling.alpha;
  }
}

/**
 * `adapter_config.json` of a LoRA adapter. PEFT knows α / r and α / √r alone: a constant scaling is written as α / r with each module's own α.
 * Targets are full module names, because a pattern could also match what was not trained.
 */
export function writePeftConfig(ranks: ReadonlyMap<string, number>, scaling: PeftScaling): Record<string, unknown> {
  const names = [...ranks.keys()].sort();
  const rank = Math.max(...ranks.values());
  const alphaOf = (own: number): number => (scaling.kind === 'constant' ? scaling.alpha * own : scaling.alpha);
  const others = names.filter((name) => ranks.get(name) !== rank);
  const pattern = (of: (own: number) => number): Record<string, number> =>
    Object.fromEntries(others.map((name) => [name, of(ranks.get(name)!)]));
  return {
    peft_type: 'LORA',
    task_type: 'CAUSAL_LM',
    base_model_name_or_path: null,
    r: rank,
    lora_alpha: alphaOf(rank),
    use_rslora: scaling.kind === 'alphaOverSqrtRank',
    target_modules: names,
    rank_pattern: pattern((own) => own),
    alpha_pattern: scaling.kind === 'constant' ? pattern(alphaOf) : {},
    bias: 'none',
    lora_dropout: 0,
    fan_in_fan_out: false,
    init_lora_weights: true,
    inference_mode: true,
    use_dora: false,
    modules_to_save: null,
  };
}

/** The scaling that PEFT would use for a module of this rank; a string says why there is none. */
export function readPeftScaling(
  config: Readonly<Record<string, unknown>>,
  name: string,
  rank: number,
): number | string {
  const plain = (key: string): string | null =>
    config[key] === undefined || config[key] === null || config[key] === false
      ? null
      : `${key} is ${JSON.stringify(config[key])}; only plain LoRA is computed`;
  const fault = plain('use_dora') ?? plain('fan_in_fan_out');
  if (fault !== null) return fault;
  if (config['peft_type'] !== 'LORA') return `peft_type is ${JSON.stringify(config['peft_type'])}; LORA is needed`;
  const declared = patternValue(config['rank_pattern'], name) ?? config['r'];
  if (declared !== rank) return `${name} has rank ${JSON.stringify(declared)} here and ${rank} in its tensors`;
  const alpha = patternValue(config['alpha_pattern'], name) ?? config['lora_alpha'];
  if (typeof alpha !== 'number' || !Number.isFinite(alpha))
    return `lora_alpha of ${name} is ${JSON.stringify(alpha)}; a number is needed`;
  return scalingFactor({ kind: config['use_rslora'] === true ? 'alphaOverSqrtRank' : 'alphaOverRank', alpha }, rank);
}

/** PEFT matches a pattern's key as the end of the name, after a dot. (It allows regular expressions; those match nothing here.) */
function patternValue(pattern: unknown, name: string): unknown {
  if (typeof pattern !== 'object' || pattern === null) return undefined;
  return Object.entries(pattern).find(([key]) => name === key || name.endsWith(`.${key}`))?.[1];
}
