import { parseArgs } from 'node:util';
import {
  COHORT_AGENTS_MAX,
  RANK_MAX,
  type StrategyName,
  type SvdSplit,
  TOLERANCE_MAX,
  TOLERANCE_STANDARD,
} from '@flexlora/core';
import { KERNEL_METHODS, type KernelMethod, type LoadKernelOptions } from '@flexlora/kernel';
import { THREADS_MAX } from './limits.ts';
import { alphaOf, bytesOfText, natural, oneOf, required, toleranceOf, UsageError } from './option-values.ts';

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
  /** How much larger than the smallest possible the error of a module's sum may be, as a ratio. */
  readonly tolerance: number;
  /** null lets the kernel choose, module by module. */
  readonly method: KernelMethod | null;
}

export interface AggregateArguments {
  readonly kind: 'arguments';
  readonly options: AggregateOptions;
  readonly kernel: Pick<LoadKernelOptions, 'prefer' | 'threads' | 'memoryBytes'>;
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
  --tolerance RATIO      how much larger than the smallest possible the error may be: exact, or up to ${TOLERANCE_MAX} (default: ${TOLERANCE_STANDARD})
  --method NAME          ${KERNEL_METHODS.join(', ')} (default: the fastest one, module by module)
  --kernel NAME          native, portable (default: native where it is built)
  --threads N            threads of the native kernel (default: every core)
  --memory BYTES         what the native kernel may hold of a module, such as 512MiB (default: 2GiB)
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
  tolerance: { type: 'string' },
  method: { type: 'string' },
  kernel: { type: 'string' },
  threads: { type: 'string' },
  memory: { type: 'string' },
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
        tolerance: values.tolerance === undefined ? TOLERANCE_STANDARD : toleranceOf(values.tolerance),
        method: values.method === undefined ? null : oneOf('--method', values.method, KERNEL_METHODS),
      },
      kernel: {
        ...(values.kernel !== undefined && { prefer: oneOf('--kernel', values.kernel, KERNELS) }),
        ...(values.threads !== undefined && { threads: natural('--threads', values.threads, 1, THREADS_MAX) }),
        ...(values.memory !== undefined && { memoryBytes: bytesOfText('--memory', values.memory) }),
      },
      output: values.json ? 'json' : 'table',
    };
  } catch (error) {
    if (error instanceof UsageError) return { kind: 'usage', problem: error.message };
    throw error;
  }
}

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
