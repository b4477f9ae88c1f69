import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AdapterFactors,
  encodePeftFile,
  factorValues,
  isRefusal,
  type ModuleName,
  peftModuleScaling,
} from '@flexlora/core';
import { openAdapterDirectory, readModuleFactors } from './adapter-directory.ts';
import { addProduct, type DenseMatrix, zeros } from './dense-oracle.ts';

/** For tests: PEFT adapter directories, made from formulas. */
export interface FixtureModule {
  readonly name: string;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  /** s as the test means it: worked out by hand, not by the code under test. */
  readonly scaling: number;
}

export interface Fixture {
  readonly modules: readonly FixtureModule[];
  /** Fields of adapter_config.json, over a plain LoRA configuration. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly seed: number;
}

export const q = { name: 'model.layers.0.self_attn.q_proj', out: 12, in: 9 } as const;
export const up = { name: 'model.layers.0.mlp.up_proj', out: 16, in: 10 } as const;

/** What an operator who names neither gets. */
export const AS_EVER = { tolerance: 1.001, method: null } as const;

/** A small mix that uses everything: ranks, alphas, rsLoRA, rank_pattern and alpha_pattern. */
export const MIX: readonly Fixture[] = [
  {
    seed: 1,
    config: { r: 2, lora_alpha: 4 },
    modules: [
      { ...q, rank: 2, scaling: 2 },
      { ...up, rank: 2, scaling: 2 },
    ],
  },
  {
    seed: 2,
    config: { r: 4, lora_alpha: 6, use_rslora: true },
    modules: [
      { ...q, rank: 4, scaling: 3 },
      { ...up, rank: 4, scaling: 3 },
    ],
  },
  {
    seed: 3,
    config: { r: 8, lora_alpha: 4, rank_pattern: { q_proj: 5 }, alpha_pattern: { '.*mlp\\.up_proj': 12 } },
    modules: [
      { ...q, rank: 5, scaling: 0.8 },
      { ...up, rank: 8, scaling: 1.5 },
    ],
  },
];

export function fixtureFactors({ seed }: Fixture, module: FixtureModule): AdapterFactors {
  const wave = (length: number, phase: number) =>
    Float32Array.from({ length }, (_, i) =>
      Math.fround(Math.sin(phase + i * (1.7 + phase / 31)) / Math.sqrt(module.rank)),
    );
  const phase = seed * 7 + module.out;
  return { rank: module.rank, b: wave(module.out * module.rank, phase), a: wave(module.rank * module.in, phase + 0.5) };
}

export async function writeFixture(directory: string, fixture: Fixture): Promise<string> {
  await mkdir(directory, { recursive: true });
  const config = {
    peft_type: 'LORA',
    bias: 'none',
    base_model_name_or_path: 'tiny',
    task_type: 'CAUSAL_LM',
    target_modules: ['q_proj', 'up_proj'],
    ...fixture.config,
  };
  await writeFile(join(directory, 'adapter_config.json'), JSON.stringify(config));
  const factors = fixture.modules.map((module) => fixtureFactors(fixture, module));
  const chunks = [...encodePeftFile(fixture.modules, factors)];
  await writeFile(join(directory, 'adapter_model.safetensors'), Buffer.concat(chunks));
  return directory;
}

/** `Σ w_k s_k B_k A_k` of one module in f64. */
export function denseSum(fixtures: readonly Fixture[], samples: readonly number[], module: string): DenseMatrix {
  const total = samples.reduce((sum, n) => sum + n, 0);
  const { out, in: columns } = fixtures[0]!.modules.find(({ name }) => name === module)!;
  const sum = zeros(out, columns);
  for (const [k, fixture] of fixtures.entries()) {
    const its = fixture.modules.find(({ name }) => name === module)!;
    const { b, a } = fixtureFactors(fixture, its);
    addProduct(sum, (samples[k]! / total) * its.scaling, b, a, its.rank);
  }
  return sum;
}

/** `s·B·A` of one module of an adapter on disk, read as any PEFT user would. */
export async function denseProduct(directory: string, module: string) {
  const adapter = await openAdapterDirectory(directory);
  if (isRefusal(adapter)) throw new Error(adapter.message);
  const factors = await readModuleFactors(adapter, module as ModuleName);
  if (isRefusal(factors)) throw new Error(factors.message);
  const product = zeros(factors.b.rows, factors.a.cols);
  const scaling = peftModuleScaling(adapter.config, module);
  addProduct(product, scaling, factorValues(factors.b), factorValues(factors.a), factors.a.rows);
  return { product, scaling, rank: factors.a.rows };
}

/** Every file below a directory by its path, or null where the directory is absent. */
export async function bytesOf(directory: string): Promise<ReadonlyMap<string, string> | null> {
  try {
    const names = (await readdir(directory)).sort();
    return new Map(
      await Promise.all(
        names.map(async (name) => [name, (await readFile(join(directory, name))).toString('hex')] as const),
      ),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** A directory of its own for one test, removed when the test ends. */
export async function temporaryDirectory(test: { after(remove: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'flexlora-aggregate-'));
  test.after(() => rm(directory, { recursive: true }));
  return directory;
}
