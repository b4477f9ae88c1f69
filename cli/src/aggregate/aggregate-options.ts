import { parseArgs } from 'node:util';
import { COHORT_AGENTS_MAX, F32_MAX, F32_NORMAL_MIN, RANK_MAX, type StrategyName, type SvdSplit } from '@flexlora/core';

/** Strategies that need nothing but the adapters themselves. */
export type AdapterStrategy = Exclude<StrategyName, 'flexlora-residual'>;

export interface UpdateArgument {
  readonly directory: string;
  /** n_k: the adapter's weight is n_k / Σ n_j. */
  readonly samples: number;
}

export interface AggregateOptions {
  readonly updates: readonly UpdateArgument[];
  readonly rank: number;
  readonly out: string;
  readonly strategy: AdapterStrategy;
  readonly svdSplit: SvdSplit;
  /** s of the result is `alpha / rank` in every module. */
  readonly alpha: number;
}

export interface AggregateArguments {
  readonly kind: 'arguments';
  readonly options: AggregateOptions;
  readonly kernel: 'native' | 'portable' | null;
  readonly output: 'json' | 'table';
}

/** What was wrong with the arguments, or null where help was asked for. */
export interface AggregateUsage {
  readonly kind: 'usage';
  readonly problem: string | null;
}

export const AGGREGATE_HELP = `usage: flexlora aggregate --update DIR=SAMPLES [--update …] --rank N --out DIR [options]

Adds up PEFT LoRA adapters of different ranks, weighted by their samples and each with its own scaling, and writes the best adapter of
rank N as PEFT's adapter_model.safetensors and adapter_config.json.

  --update DIR=SAMPLES   an adapter directory and its number of training samples; give one for each adapter
  --rank N               rank of the result, 1 to ${RANK_MAX}
  --out DIR              where it goes: absent or empty
  --strategy NAME        flexlora (default), fedavg, hetlora
  --svd-split SIDE       where Σ goes: b (default), a, even
  --alpha X              lora_alpha of the result (default: N, so that its scaling is 1)
  --kernel NAME          native, portable (default: native where it is built)
  --json                 one JSON document on standard output instead of the table
  --help                 this text

Exit codes: 0 written, 1 refused or failed and nothing written, 2 wrong usage.
`;

const STRATEGIES = ['flexlora', 'fedavg', 'hetlora'] as const;
const SPLITS = ['b', 'a', 'even'] as const;
const KERNELS = ['native', 'portable'] as const;

const OPTIONS = {
  update: { type: 'string', multiple: true },
  rank: { type: 'string' },
  out: { type: 'string' },
  strategy: { type: 'string', default: 'flexlora' },
  'svd-split': { type: 'string', default: 'b' },
  alpha: { type: 'string' },
  kernel: { type: 'string' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const OPTION_NAMES = Object.keys(OPTIONS)
  .map((name) => `--${name}`)
  .join(', ');

export function parseAggregateArguments(args: readonly string[]): AggregateArguments | AggregateUsage {
  try {
    const values = valuesOf(args);
    if (values.help) return { kind: 'usage', problem: null };
    const rank = natural('--rank', values.rank, 1, RANK_MAX);
    return {
      kind: 'arguments',
      options: {
        updates: updatesOf(values.update ?? []),
        rank,
        out: required('--out', values.out, 'a directory that is absent or empty'),
        strategy: oneOf('--strategy', values.strategy, STRATEGIES),
        svdSplit: oneOf('--svd-split', values['svd-split'], SPLITS),
        alpha: values.alpha === undefined ? rank : alphaOf(values.alpha, rank),
      },
      kernel: values.kernel === undefined ? null : oneOf('--kernel', values.kernel, KERNELS),
      output: values.json ? 'json' : 'table',
    };
  } catch (error) {
    if (error instanceof UsageError) return { kind: 'usage', problem: error.message };
    throw error;
  }
}

class UsageError extends Error {}

function valuesOf(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS, strict: true }).values;
  } catch (error) {
    // Node's first sentence says what was got; what follows it is advice on how to pass an argument that is not taken here.
    if (!(error instanceof TypeError)) throw error;
    const [got = error.message] = error.message.split(/\.(?=\s|$)|\n/, 1);
    throw new UsageError(`${got}; allowed: ${OPTION_NAMES}`);
  }
}

function updatesOf(texts: readonly string[]): readonly UpdateArgument[] {
  if (texts.length === 0 || texts.length > COHORT_AGENTS_MAX) {
    throw new UsageError(
      `--update was given ${texts.length} times; allowed: 1 to ${COHORT_AGENTS_MAX}, each as DIR=SAMPLES`,
    );
  }
  return texts.map((text) => {
    // The last "=": a directory's name may hold one too.
    const at = text.lastIndexOf('=');
    if (at < 1) throw new UsageError(`--update is "${text}"; allowed: DIR=SAMPLES, such as site-a/adapter=1200`);
    return {
      directory: text.slice(0, at),
      samples: natural(`samples of --update ${text}`, text.slice(at + 1), 0, Number.MAX_SAFE_INTEGER),
    };
  });
}

function required(option: string, value: string | undefined, allowed: string): string {
  if (value === undefined || value === '') throw new UsageError(`${option} is missing; allowed: ${allowed}`);
  return value;
}

function natural(option: string, text: string | undefined, min: number, max: number): number {
  const allowed = `an integer from ${min} to ${max}`;
  const value = required(option, text, allowed);
  const number = Number(value);
  if (/^[0-9]+$/.test(value) && number >= min && number <= max) return number;
  throw new UsageError(`${option} is "${value}"; allowed: ${allowed}`);
}

/** α / rank scales the model, and α · rank is a step of the configuration: f32 must hold both with all their digits. */
function alphaOf(text: string, rank: number): number {
  const alpha = Number(text);
  if (text.trim() !== '' && alpha / rank >= F32_NORMAL_MIN && alpha * rank <= F32_MAX) return alpha;
  throw new UsageError(
    `--alpha is "${text}"; allowed: a number above 0 that f32 holds when it is divided by and multiplied with the rank ${rank}, such as ${rank}`,
  );
}

function oneOf<Name extends string>(option: string, text: string, allowed: readonly Name[]): Name {
  const found = allowed.find((name) => name === text);
  if (found === undefined) throw new UsageError(`${option} is "${text}"; allowed: ${allowed.join(', ')}`);
  return found;
}
