import type { ModuleName } from '../ids.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { FACTOR_DTYPES, type FactorDtype, type FactorSide, isFactorDtype } from './factor.ts';
import { parsePeftTensorName, peftTensorName } from './peft-names.ts';
import type { SafetensorsHeader, TensorEntry } from './safetensors-header.ts';

/** One factor in a file: where its bytes lie and what they mean. */
export interface FactorEntry {
  /** As the file calls it. */
  readonly tensor: string;
  readonly dtype: FactorDtype;
  readonly rows: number;
  readonly cols: number;
  /** Offsets in the file: `[begin, end)`. */
  readonly begin: number;
  readonly end: number;
}

export interface ModuleFactorEntries {
  readonly name: ModuleName;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  readonly b: FactorEntry;
  readonly a: FactorEntry;
}

/** What an update must hold in one module: exactly the assignment. */
export interface ExpectedModule {
  readonly name: ModuleName;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
}

/** Pairs the factors of a header by module; in the order of module names. Everything but a LoRA factor is refused by its name. */
export function readFactorEntries(header: SafetensorsHeader): ReadonlyMap<ModuleName, ModuleFactorEntries> | Refusal {
  const sides = new Map<ModuleName, Partial<Record<FactorSide, FactorEntry>>>();
  for (const tensor of header.tensors) {
    const name = parsePeftTensorName(tensor.name);
    if (isRefusal(name)) return name;
    const factor = readFactor(tensor);
    if (isRefusal(factor)) return factor;
    const found = sides.get(name.module) ?? {};
    if (found[name.side] !== undefined) {
      return refuse(
        'badTensor',
        `tensor ${tensor.name} repeats ${found[name.side]?.tensor}; allowed: each factor once`,
      );
    }
    sides.set(name.module, { ...found, [name.side]: factor });
  }
  if (sides.size === 0) {
    return refuse('badTensor', 'the file holds no LoRA factor; allowed: at least one module with lora_A and lora_B');
  }
  const modules = new Map<ModuleName, ModuleFactorEntries>();
  for (const name of [...sides.keys()].sort()) {
    const module = pair(name, sides.get(name)!);
    if (isRefusal(module)) return module;
    modules.set(name, module);
  }
  return modules;
}

function readFactor({ name, dtype, shape, begin, end }: TensorEntry): FactorEntry | Refusal {
  if (!isFactorDtype(dtype)) {
    return refuse('badTensor', `tensor ${name} has dtype ${dtype}; allowed: ${FACTOR_DTYPES.join(', ')}: convert it`);
  }
  const [rows, cols] = shape;
  if (shape.length !== 2 || !rows || !cols) {
    return refuse(
      'badTensor',
      `tensor ${name} has shape [${shape.join(', ')}]; allowed: two sides of at least 1: train linear layers alone, at a rank of at least 1`,
    );
  }
  return { tensor: name, dtype, rows, cols, begin, end };
}

function pair(name: ModuleName, { a, b }: Partial<Record<FactorSide, FactorEntry>>): ModuleFactorEntries | Refusal {
  if (a === undefined || b === undefined) {
    const missing = peftTensorName(name, a === undefined ? 'a' : 'b');
    return refuse(
      'badTensor',
      `tensor ${missing} is missing; allowed: lora_A and lora_B of every module: save the whole adapter`,
    );
  }
  if (b.cols !== a.rows) {
    return refuse(
      'badTensor',
      `tensor ${b.tensor} has shape [${b.rows}, ${b.cols}] and ${a.tensor} [${a.rows}, ${a.cols}]; allowed: columns of lora_B = rows of lora_A = the rank`,
    );
  }
  return { name, out: b.rows, in: a.cols, rank: a.rows, b, a };
}

/** Holds the factors of a file against the assignment: every module that is expected, at its shape and rank, and no other. */
export function checkFactorEntries(
  modules: ReadonlyMap<ModuleName, ModuleFactorEntries>,
  expected: readonly ExpectedModule[],
): Refusal | null {
  for (const want of expected) {
    const got = modules.get(want.name);
    if (got === undefined) {
      const tensor = peftTensorName(want.name, 'a');
      return refuse(
        'badTensor',
        `tensor ${tensor} is missing; allowed: all ${expected.length} modules of the assignment: train them all`,
      );
    }
    if (got.out !== want.out || got.in !== want.in) {
      return refuse(
        'badTensor',
        `${want.name} is ${got.out} × ${got.in} by the shapes of its factors; allowed: ${want.out} × ${want.in}: train the base model of the run`,
      );
    }
    if (got.rank !== want.rank) {
      return refuse(
        'rankOutOfRange',
        `rank of ${got.a.tensor} is ${got.rank}; the assignment allows ${want.rank}: train at the assigned rank`,
      );
    }
  }
  if (modules.size === expected.length) return null;
  const names = new Set(expected.map((module) => module.name));
  const extra = [...modules.keys()].find((name) => !names.has(name));
  if (extra === undefined) return null;
  return refuse(
    'badTensor',
    `${modules.get(extra)!.a.tensor} is not of the run; allowed: its ${expected.length} modules alone: leave it out of target_modules`,
  );
}
