import type { ModuleName } from '../ids.ts';
import { isRefusal, type Refusal, refuse } from '../refusal.ts';
import { FACTOR_DTYPES, type FactorDtype, type FactorSide, isFactorDtype } from './factor.ts';
import { parsePeftTensorName, peftTensorName, SCALES_SUFFIX } from './peft-names.ts';
import type { SafetensorsHeader, TensorEntry } from './safetensors-header.ts';
import { dtypesOf, type UpdateFormat } from './update-format.ts';

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

/** A factor of 8-bit integers, and where the scales of its rows lie. */
export interface QuantisedFactorEntry extends Omit<FactorEntry, 'dtype'> {
  readonly dtype: 'I8';
  /** F32, one a row. */
  readonly scales: { readonly tensor: string; readonly begin: number; readonly end: number };
}

export type UpdateFactorEntry = FactorEntry | QuantisedFactorEntry;

export interface ModuleFactorEntries<Entry extends UpdateFactorEntry = FactorEntry> {
  readonly name: ModuleName;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  readonly b: Entry;
  readonly a: Entry;
}

export type UpdateEntries = ReadonlyMap<ModuleName, ModuleFactorEntries<UpdateFactorEntry>>;

/** What an update must hold in one module: exactly the assignment. */
export interface ExpectedModule {
  readonly name: ModuleName;
  readonly out: number;
  readonly in: number;
  readonly rank: number;
  /** Any will do where it is absent. */
  readonly format?: UpdateFormat;
}

/** Pairs the factors of an adapter by module; in the order of module names. Everything but a LoRA factor is refused by its name. */
export const readFactorEntries = (header: SafetensorsHeader): ReadonlyMap<ModuleName, ModuleFactorEntries> | Refusal =>
  pairFactors(header.tensors, readFactor);

/** The same of an update, whose factors may also be 8-bit integers, each with its scales beside it. */
export function readUpdateEntries(header: SafetensorsHeader): UpdateEntries | Refusal {
  const scales = new Map<string, TensorEntry>();
  const factors: TensorEntry[] = [];
  for (const tensor of header.tensors) {
    if (tensor.name.endsWith(SCALES_SUFFIX)) scales.set(tensor.name.slice(0, -SCALES_SUFFIX.length), tensor);
    else factors.push(tensor);
  }
  const modules = pairFactors<UpdateFactorEntry>(factors, (tensor) => {
    if (tensor.dtype !== 'I8') return readFactor(tensor);
    const its = scales.get(tensor.name);
    scales.delete(tensor.name);
    return readQuantised(tensor, its);
  });
  const [alone] = scales.values();
  if (isRefusal(modules) || alone === undefined) return modules;
  return refuse(
    'badTensor',
    `tensor ${alone.name} has no factor of dtype I8 that it scales; allowed: scales of those alone: leave it out`,
  );
}

function pairFactors<Entry extends UpdateFactorEntry>(
  tensors: readonly TensorEntry[],
  read: (tensor: TensorEntry) => Entry | Refusal,
): ReadonlyMap<ModuleName, ModuleFactorEntries<Entry>> | Refusal {
  const sides = new Map<ModuleName, Partial<Record<FactorSide, Entry>>>();
  for (const tensor of tensors) {
    const name = parsePeftTensorName(tensor.name);
    if (isRefusal(name)) return name;
    const factor = read(tensor);
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
  const modules = new Map<ModuleName, ModuleFactorEntries<Entry>>();
  for (const name of [...sides.keys()].sort()) {
    const module = pair(name, sides.get(name)!);
    if (isRefusal(module)) return module;
    modules.set(name, module);
  }
  return modules;
}

function readFactor(tensor: TensorEntry): FactorEntry | Refusal {
  const { name, dtype } = tensor;
  if (!isFactorDtype(dtype)) {
    return refuse('badTensor', `tensor ${name} has dtype ${dtype}; allowed: ${FACTOR_DTYPES.join(', ')}: convert it`);
  }
  const place = readPlace(tensor);
  return isRefusal(place) ? place : { ...place, dtype };
}

function readQuantised(tensor: TensorEntry, scales: TensorEntry | undefined): QuantisedFactorEntry | Refusal {
  const place = readPlace(tensor);
  if (isRefusal(place)) return place;
  const needed = `F32 [${place.rows}], the scale of each row of ${tensor.name}`;
  if (scales === undefined) {
    return refuse(
      'badTensor',
      `tensor ${tensor.name}${SCALES_SUFFIX} is missing; allowed: ${needed}: send it beside a factor of dtype I8`,
    );
  }
  const { name, dtype, shape, begin, end } = scales;
  if (dtype !== 'F32' || shape.length !== 1 || shape[0] !== place.rows) {
    return refuse('badTensor', `tensor ${name} is ${dtype} [${shape.join(', ')}]; allowed: ${needed}: convert it`);
  }
  return { ...place, dtype: 'I8', scales: { tensor: name, begin, end } };
}

function readPlace({ name, shape, begin, end }: TensorEntry): Omit<FactorEntry, 'dtype'> | Refusal {
  const [rows, cols] = shape;
  if (shape.length !== 2 || !rows || !cols) {
    return refuse(
      'badTensor',
      `tensor ${name} has shape [${shape.join(', ')}]; allowed: two sides of at least 1: train linear layers alone, at a rank of at least 1`,
    );
  }
  return { tensor: name, rows, cols, begin, end };
}

function pair<Entry extends UpdateFactorEntry>(
  name: ModuleName,
  { a, b }: Partial<Record<FactorSide, Entry>>,
): ModuleFactorEntries<Entry> | Refusal {
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
export function checkFactorEntries(modules: UpdateEntries, expected: readonly ExpectedModule[]): Refusal | null {
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
    const unlike = want.format === undefined ? null : checkFormat(got, want.format);
    if (unlike !== null) return unlike;
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

function checkFormat({ b, a }: ModuleFactorEntries<UpdateFactorEntry>, format: UpdateFormat): Refusal | null {
  const allowed = dtypesOf(format);
  const other = [a, b].find(({ dtype }) => !allowed.includes(dtype));
  if (other === undefined) return null;
  return refuse(
    'badTensor',
    `tensor ${other.tensor} has dtype ${other.dtype}; allowed: ${allowed.join(', ')}, by the run's update format ${format}: convert it, as a client agent of this version does`,
  );
}
