/**
 * Times both kernels on a few shapes. Not a test: nothing here passes or fails.
 *
 *     node_modules/.bin/node crates/flexlora-kernel-node/bench/kernel-bench.ts [native|portable|both] [repeats]
 *
 * With `both`, only the shapes that the portable kernel does in seconds.
 */
import { type Kernel, type KernelTerm, loadKernel, type TruncateRequest } from '@flexlora/kernel';

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

/** The median of the kernel's own seconds. */
async function median(kernel: Kernel, request: TruncateRequest, repeats: number): Promise<number> {
  const seconds: number[] = [];
  for (let run = 0; run < repeats; run += 1) seconds.push((await kernel.truncate(request)).seconds);
  return seconds.sort((a, b) => a - b)[repeats >> 1]!;
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
  const seconds: number[] = [];
  for (const kernel of kernels) seconds.push(await median(kernel, request, repeats));
  const rankSum = shape.ranks.reduce((sum, r) => sum + r, 0);
  const ratio = seconds.length > 1 ? ` | ${(seconds[1]! / seconds[0]!).toFixed(1)}` : '';
  console.log(
    `${shape.out} x ${shape.in}, ${rankSum} -> ${shape.rank} | ${seconds.map((s) => s.toFixed(4)).join(' | ')}${ratio}`,
  );
}
