/**
 * Times both kernels on a few shapes. Not a test: nothing here passes or fails.
 *
 *     node_modules/.bin/node crates/flexlora-kernel-node/bench/kernel-bench.ts [native|portable|both] [repeats]
 *
 * With `both`, only the shapes that the portable kernel does in seconds.
 */
import {
  type Kernel,
  type KernelMethod,
  type KernelTerm,
  loadKernel,
  type TruncatedSum,
  type TruncateRequest,
} from '@flexlora/kernel';

interface Shape {
  readonly out: number;
  readonly in: number;
  readonly ranks: readonly number[];
  readonly rank: number;
  readonly isSmall: boolean;
}

const thirteen = [4, 4, 4, 8, 8, 8, 8, 16, 16, 16, 32, 32, 64];

const shapes: readonly Shape[] = [
  { out: 64, in: 64, ranks: [2, 4, 8, 8], rank: 8, isSmall: true },
  { out: 256, in: 256, ranks: [4, 8, 16, 32], rank: 32, isSmall: true },
  { out: 256, in: 256, ranks: [64, 64, 64, 64, 64], rank: 64, isSmall: true },
  { out: 768, in: 768, ranks: thirteen, rank: 64, isSmall: true },
  { out: 2048, in: 2048, ranks: thirteen, rank: 64, isSmall: false },
  { out: 4096, in: 4096, ranks: thirteen, rank: 64, isSmall: false },
  { out: 11008, in: 4096, ranks: thirteen, rank: 64, isSmall: false },
];

function requestOf({ out, in: cols, ranks, rank }: Shape): TruncateRequest {
  const factor = (rows: number, columns: number) => {
    const values = Float32Array.from({ length: rows * columns }, () => Math.random() - 0.5);
    return { dtype: 'F32' as const, rows, cols: columns, bytes: new Uint8Array(values.buffer) };
  };
  const terms: KernelTerm[] = ranks.map((r, k) => ({
    label: `agent-${k}`,
    coefficient: 1 / ranks.length,
    b: factor(out, r),
    a: factor(r, cols),
  }));
  return { module: 'bench', out, in: cols, rank, terms, completionSeed: 1 };
}

interface Timing {
  /** The median of the kernel's own. */
  readonly seconds: number;
  readonly method: KernelMethod;
}

async function time(kernel: Kernel, request: TruncateRequest, repeats: number): Promise<Timing> {
  const answers: TruncatedSum[] = [];
  for (let run = 0; run < repeats; run += 1) answers.push(await kernel.truncate(request));
  const { seconds, method } = answers.sort((a, b) => a.seconds - b.seconds)[repeats >> 1]!;
  return { seconds, method };
}

const which = process.argv[2] ?? 'both';
const repeats = Number(process.argv[3] ?? 3);
const names =
  which === 'both' ? (['native', 'portable'] as const) : ([which === 'portable' ? 'portable' : 'native'] as const);
const kernels = names.map((name) => {
  const { kernel, notice } = loadKernel({ prefer: name });
  if (notice !== null) throw new Error(notice);
  return kernel;
});
console.log(`out x in, sum of ranks -> rank | ${names.join(' s | ')} s${names.length > 1 ? ' | ratio' : ''}`);
for (const shape of shapes) {
  if (!shape.isSmall && names.some((name) => name === 'portable')) continue;
  const request = requestOf(shape);
  const timings: Timing[] = [];
  for (const kernel of kernels) timings.push(await time(kernel, request, repeats));
  const rankSum = shape.ranks.reduce((sum, r) => sum + r, 0);
  const ratio = timings.length > 1 ? ` | ${(timings[1]!.seconds / timings[0]!.seconds).toFixed(1)}` : '';
  console.log(
    `${shape.out} x ${shape.in}, ${rankSum} -> ${shape.rank} | ${timings.map(({ seconds, method }) => `${seconds.toFixed(4)} ${method}`).join(' | ')}${ratio}`,
  );
}
