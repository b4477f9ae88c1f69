import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { namedBy, referencePython, UsageError, wholeNumber, wholeNumbers } from '../arguments.ts';
import { CLIENT_MIXES } from '../factors/client-mix.ts';
import { SPECTRA } from '../factors/factor-maker.ts';
import type { KernelCase } from './kernel-case.ts';
import { regretCases } from './regret-cases.ts';

export interface KernelBenchOptions {
  /** Time every method, in place of the planned one against the reference. */
  readonly compares: 'reference' | 'methods';
  readonly cases: readonly KernelCase[];
  readonly repeats: number;
  readonly tolerance?: number;
  readonly kernel?: 'native' | 'portable';
  readonly threads: number;
  readonly memoryBytes?: number;
  readonly python: string | null;
  readonly out: string;
}

export const KERNEL_BENCH_HELP = `usage: npm run bench:kernel [-- options]

Times the sum and truncation of one module against the published method, and writes kernel.json, kernel.md and kernel.svg.

  --sizes LIST         sides of the square W (default: 1024,2048,4096)
  --mixes LIST         of ${CLIENT_MIXES.map(({ name }) => name).join(', ')} (default: all)
  --spectra LIST       of ${SPECTRA.join(', ')} (default: both)
  --rank N             components that are kept (default: 64)
  --repeats N          runs of a case, from 3 (default: 5)
  --tolerance X        of the kernel, such as 1.001 (default: its own)
  --threads N          of the kernel and of the reference (default: every core)
  --memory N           MiB that the kernel may hold (default: its own)
  --kernel NAME        native, portable (default: native where it is built)
  --reference PYTHON   one that has numpy, or none (default: FLEXLORA_PEFT_PYTHON, or that of .cache/peft-venv)
  --out DIR            (default: out/bench-kernel)
  --regret             time every method at small sizes and a few ranks, and what the planner's choice costs
                       against the fastest; writes regret.json and regret.md (sizes: 64,128,256,512,1024)
  --quick              small sizes and mixes without the reference, in less than 20 seconds
  --help               this text
`;

const OUT = fileURLToPath(new URL('../../../out/bench-kernel', import.meta.url));

const OPTIONS = {
  sizes: { type: 'string' },
  mixes: { type: 'string' },
  spectra: { type: 'string' },
  rank: { type: 'string', default: '64' },
  repeats: { type: 'string' },
  tolerance: { type: 'string' },
  threads: { type: 'string' },
  memory: { type: 'string' },
  kernel: { type: 'string' },
  reference: { type: 'string' },
  out: { type: 'string', default: OUT },
  regret: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What `--quick` puts in the place of the other defaults. */
const QUICK = { sizes: '256,512', mixes: 'small-6,small-24,uniform-20', repeats: '3', reference: 'none' } as const;
const FULL = { sizes: '1024,2048,4096', mixes: CLIENT_MIXES.map(({ name }) => name).join(','), repeats: '5' } as const;
const REGRET = { ...FULL, sizes: '64,128,256,512,1024', reference: 'none' } as const;

/** null where help was asked for. @throws {UsageError} */
export function parseKernelBenchArguments(args: readonly string[]): KernelBenchOptions | null {
  const given = parsed(args);
  if (given.help) return null;
  const values = { ...(given.regret ? REGRET : given.quick ? QUICK : FULL), ...given };
  const sizes = wholeNumbers('--sizes', values.sizes, 1, 1 << 16);
  const mixes = namedBy('--mixes', values.mixes, CLIENT_MIXES, ({ name }) => name);
  const spectra = namedBy('--spectra', values.spectra ?? SPECTRA.join(','), SPECTRA, String);
  const rank = wholeNumber('--rank', values.rank, 1, 1024);
  return {
    compares: given.regret ? 'methods' : 'reference',
    cases: spectra.flatMap((spectrum) =>
      sizes.flatMap((side) =>
        given.regret ? regretCases(side, spectrum) : mixes.map((mix) => ({ out: side, in: side, mix, spectrum, rank })),
      ),
    ),
    repeats: wholeNumber('--repeats', values.repeats, 3, 1000),
    threads: values.threads === undefined ? availableParallelism() : wholeNumber('--threads', values.threads, 1, 1024),
    ...(values.tolerance !== undefined && { tolerance: toleranceOf(values.tolerance) }),
    ...(values.memory !== undefined && { memoryBytes: wholeNumber('--memory', values.memory, 1, 1 << 30) * 2 ** 20 }),
    ...(values.kernel !== undefined && {
      kernel: namedBy('--kernel', values.kernel, ['native', 'portable'] as const, String)[0]!,
    }),
    python: referencePython(values.reference),
    out: values.out,
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new UsageError(error.message);
  }
}

function toleranceOf(text: string): number {
  const tolerance = Number(text);
  if (tolerance > 1) return tolerance;
  throw new UsageError(`--tolerance is "${text}"; allowed: a number above 1, such as 1.001`);
}
