/**
 * Times the methods that both kernels have, each asked for by name, in the same run. Not a test: nothing here passes or fails.
 *
 *     node_modules/.bin/node crates/flexlora-kernel-node/bench/method-bench.ts [native|portable|both] [repeats] [largest side]
 *
 * A forecast that is far from the seconds says that the rates in `cost.rs` or `portable/cost.ts` are those of another machine.
 */
import {
  createNativeKernel,
  createPortableKernel,
  type Kernel,
  type KernelMethod,
  type KernelTerm,
  type TruncatedSum,
  type TruncateRequest,
} from '@flexlora/kernel';

interface Case {
  readonly method: KernelMethod;
  readonly side: number;
  readonly rankSum: number;
  readonly rank: number;
}

const CASES: readonly Case[] = [
  { method: 'stacked', side: 64, rankSum: 22, rank: 8 },
  { method: 'stacked', side: 256, rankSum: 60, rank: 32 },
  { method: 'stacked', side: 1024, rankSum: 212, rank: 64 },
  { method: 'stacked', side: 2048, rankSum: 212, rank: 64 },
  { method: 'dense', side: 64, rankSum: 128, rank: 16 },
  { method: 'dense', side: 256, rankSum: 320, rank: 32 },
  { method: 'accumulated', side: 64, rankSum: 22, rank: 8 },
  { method: 'accumulated', side: 256, rankSum: 320, rank: 32 },
  { method: 'accumulated', side: 1024, rankSum: 212, rank: 64 },
  { method: 'accumulated', side: 1024, rankSum: 1040, rank: 64 },
  { method: 'accumulated', side: 2048, rankSum: 1040, rank: 64 },
  { method: 'accumulated', side: 2048, rankSum: 4160, rank: 64 },
  { method: 'accumulated', side: 4096, rankSum: 1040, rank: 64 },
];

/** Ranks of the terms: whole ones, and what is left. */
const TERM_RANK = 64;

function requestOf({ method, side, rankSum, rank }: Case): TruncateRequest {
  const factor = (rows: number, cols: number) => {
    const values = Float32Array.from({ length: rows * cols }, () => Math.random() - 0.5);
    return { dtype: 'F32' as const, rows, cols, bytes: new Uint8Array(values.buffer) };
  };
  const terms: KernelTerm[] = [];
  for (let from = 0; from < rankSum; from += TERM_RANK) {
    const own = Math.min(TERM_RANK, rankSum - from);
    terms.push({ label: `agent-${terms.length}`, coefficient: 1, b: factor(side, own), a: factor(own, side) });
  }
  return { module: 'bench', out: side, in: side, rank, terms, completionSeed: 1, method };
}

/** The answer of median time, by the kernel's own seconds. */
async function median(kernel: Kernel, request: TruncateRequest, repeats: number): Promise<TruncatedSum> {
  const answers: TruncatedSum[] = [];
  for (let run = 0; run < repeats; run += 1) answers.push(await kernel.truncate(request));
  return answers.sort((a, b) => a.seconds - b.seconds)[repeats >> 1]!;
}

const which = process.argv[2] ?? 'both';
const repeats = Number(process.argv[3] ?? 3);
const sideMax = Number(process.argv[4] ?? 2048);
const kernels: readonly Kernel[] = [
  ...(which === 'portable' ? [] : [createNativeKernel()]),
  ...(which === 'native' ? [] : [createPortableKernel()]),
];
const columns = kernels.map(({ name }) => `${name} s (forecast, blocks)`);
console.log(['method', 'side, sum of ranks -> rank', ...columns, ...(kernels.length > 1 ? ['ratio'] : [])].join(' | '));
for (const each of CASES.filter(({ side }) => side <= sideMax)) {
  const request = requestOf(each);
  const answers: TruncatedSum[] = [];
  for (const kernel of kernels) answers.push(await median(kernel, request, repeats));
  const cells = answers.map(
    ({ seconds, plan, blocks }) => `${seconds.toFixed(4)} (${plan.seconds.toFixed(4)}, ${blocks})`,
  );
  const ratio = answers.length > 1 ? [(answers[1]!.seconds / answers[0]!.seconds).toFixed(1)] : [];
  console.log([each.method, `${each.side}, ${each.rankSum} -> ${each.rank}`, ...cells, ...ratio].join(' | '));
}
