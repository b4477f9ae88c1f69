import { execFile } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { comparedRanks, type MeasuredSum, type Reference } from './reference.ts';
import { spreadOf } from './spread.ts';

const SCRIPT = fileURLToPath(new URL('reference.py', import.meta.url));
/** The largest sum takes a minute; a machine ten times slower still passes. */
const PROCESS_MS_MAX = 1_800_000;

/** What the script prints about a folder. */
interface Printed {
  /** Of every run. */
  readonly form_seconds: readonly number[];
  readonly svd_seconds: readonly number[];
  /** Only where there was an answer to compare. */
  readonly errors?: readonly {
    readonly rank: number;
    readonly relative_error: number;
    readonly optimal_relative_error: number;
  }[];
}

export interface NumpyOptions {
  readonly python: string;
  /** The reference gets as many as the kernel. */
  readonly threads: number;
  /** Ends the process; its files are removed. */
  readonly signal?: AbortSignal;
}

export interface NumpyReference extends Reference {
  /** The rate of numpy's float32 matrix product, in operations a second. */
  productRate(): Promise<number>;
}

/** The published method in numpy, as `reference.py` has it, on the same factors: they go to it as a file of their raw values. */
export function createNumpyReference({ python, threads, signal }: NumpyOptions): NumpyReference {
  const run = async (argument: string): Promise<unknown> => {
    const budget = `${threads}`;
    const env = { ...process.env, OMP_NUM_THREADS: budget, OPENBLAS_NUM_THREADS: budget, MKL_NUM_THREADS: budget };
    const { stdout } = await promisify(execFile)(python, [SCRIPT, argument], {
      env,
      timeout: PROCESS_MS_MAX,
      ...(signal && { signal }),
    });
    return JSON.parse(stdout);
  };

  const measure: Reference['measure'] = async (sum, repeats) => {
    const folder = await mkdtemp(join(tmpdir(), 'flexlora-bench-'));
    try {
      await writeFactors(folder, sum, repeats);
      const { form_seconds, svd_seconds, errors = [] } = (await run(folder)) as Printed;
      return {
        formSeconds: spreadOf(form_seconds),
        svdSeconds: spreadOf(svd_seconds),
        errors: errors.map(({ rank, relative_error, optimal_relative_error }) => ({
          rank,
          relativeError: relative_error,
          optimalRelativeError: optimal_relative_error,
        })),
      };
    } finally {
      await rm(folder, { recursive: true });
    }
  };

  return {
    name: 'numpy: dense products, full SVD',
    measure,
    async productRate() {
      const { operations_per_second: rate } = (await run('--peak')) as { readonly operations_per_second: number };
      return rate;
    },
  };
}

async function writeFactors(
  folder: string,
  { kernelCase: { out, in: columns, rank }, terms, answer }: MeasuredSum,
  repeats: number,
): Promise<void> {
  const clients: object[] = [];
  const file = await open(join(folder, 'factors.f32'), 'wx');
  try {
    let at = 0;
    for (const { b, a, coefficient } of terms) {
      clients.push({ rank: a.rows, coefficient, b_at: at, a_at: at + b.bytes.byteLength });
      await file.writeFile(b.bytes);
      await file.writeFile(a.bytes);
      at += b.bytes.byteLength + a.bytes.byteLength;
    }
  } finally {
    await file.close();
  }
  const files = { u: 'u.f32', s: 's.f64', v: 'v.f32' };
  if (answer !== null) {
    await writeFile(join(folder, files.u), answer.u);
    await writeFile(join(folder, files.s), answer.singularValues);
    await writeFile(join(folder, files.v), answer.v);
  }
  const compared = answer === null ? { answer: null } : { answer: files, compare_at: comparedRanks(answer.rank) };
  await writeFile(
    join(folder, 'manifest.json'),
    JSON.stringify({ out, in: columns, rank, repeats, ...compared, clients }),
  );
}
